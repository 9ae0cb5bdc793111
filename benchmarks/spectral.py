# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""How fast the transforms are beside librosa's, as ratios from one run: python benchmarks/spectral.py [--rounds 5]

The two sides of a ratio are timed in turn, round after round, so that whatever else the machine does slows both; the ratio
is that of the medians. Librosa handles one clip after the other, as a data pipeline would."""
import argparse
import os
import platform
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import librosa
import numpy as np
import tensorflow as tf

from audiosynth.phase import griffin_lim, pghi
from audiosynth.representations import LogMagnitude
from audiosynth.sources import load_clips
from audiosynth.spectral import istft, overlap_weight, stft

CLIPS, FRAME, HOP, ITERATIONS = 64, 512, 128, 32
THEIRS = dict(n_fft=FRAME, hop_length=HOP, window="hamming")


def seconds(*functions, rounds):
    "Median seconds of each, taken in turn; the first round does not count."
    times = []
    for _ in range(rounds + 1):
        row = []
        for function in functions:
            start = time.perf_counter()
            function()
            row.append(time.perf_counter() - start)
        times.append(row)
    return np.median(times[1:], axis=0)


def line(what, ours, theirs, versus):
    print(f"{what:<44} {1e3 * ours:8.0f} ms   {versus:<28} {1e3 * theirs:8.0f} ms   ratio {theirs / ours:5.1f}")


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(row.split(":")[1].strip() for row in file if row.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each comparison (default: %(default)s)")
    rounds = parser.parse_args().rounds
    clips = load_clips("digits")
    waves = clips.waves(clips.where("train")[:CLIPS])
    picture = LogMagnitude().fit([waves])
    mean, spread = picture.statistics["mean"], 3 * picture.statistics["deviation"]
    encode = tf.function(picture.encode)
    magnitude = tf.abs(stft(waves))
    listed = [np.abs(librosa.stft(wave, **THEIRS)) for wave in waves]

    def their_encode():
        for wave in waves:
            level = np.log(np.abs(librosa.stft(wave, **THEIRS)) + 1e-4).T[:, :-1]
            np.clip((level - mean) / spread, -1, 1)

    def their_griffin_lim():
        for one in listed:
            librosa.griffinlim(one, n_iter=ITERATIONS, momentum=0.99, random_state=0, **THEIRS)

    @tf.function
    def transforms(framed):  # as many as `griffin_lim` makes, and nothing else
        there = lambda step, framed: (step + 1, tf.signal.irfft(tf.signal.rfft(framed), [FRAME]))
        return tf.signal.irfft(tf.signal.rfft(tf.while_loop(lambda step, _: step < ITERATIONS, there, [0, framed])[1]), [FRAME])

    framed = tf.random.normal((CLIPS, waves.shape[1] // HOP, FRAME))
    phase = lambda: istft(tf.cast(magnitude, tf.complex64) * tf.exp(tf.complex(0.0, pghi(magnitude)))).numpy()
    print(f"{processor()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, TensorFlow {tf.__version__}, librosa {librosa.__version__}; "
          f"{CLIPS} clips of {waves.shape[1]} samples, frame {FRAME}, hop {HOP}, median of {rounds}")
    ours, theirs = seconds(lambda: encode(waves).numpy(), their_encode, rounds=rounds)
    line("log-magnitude encoding", ours, theirs, "librosa, clip by clip")
    ours, theirs, ffts = seconds(lambda: griffin_lim(magnitude, iterations=ITERATIONS).numpy(), their_griffin_lim,
                                 lambda: transforms(framed).numpy(), rounds=rounds)
    line(f"fast Griffin-Lim, {ITERATIONS} iterations", ours, theirs, "librosa, clip by clip")
    print(f"{'  of which Fourier transforms':<44} {1e3 * ffts:8.0f} ms   {ffts / ours:.0%}")
    heap, iterations = seconds(phase, lambda: griffin_lim(magnitude, iterations=16).numpy(), rounds=rounds)
    line("heap integration, waveform and all", heap, iterations, "16 iterations")


if __name__ == "__main__":
    main()
