# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""How fast the transforms are beside librosa's, as ratios from one run.

python benchmarks/spectral.py [--rounds 5]

The two sides of a ratio are timed in turn, round after round, so that whatever else the machine
does slows both. The ratio is that of the medians, by the clock and of processor time. Librosa
handles one clip after the other on one core, as a data pipeline would. Ours is free to use every
core, so on an idle machine its clock ratio lies above that of processor time, and on a busy one
near it. Encoding is timed twice: as a call, where the clips go through `simd_log_magnitude`, and
inside a graph, where TensorFlow's own operations do it."""

import argparse
import os
import platform
import time
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import librosa
import numpy as np
import tensorflow as tf

from audiosynth.data.sources import load_clips
from audiosynth.representations.phase_reconstruction import griffin_lim, reconstruct
from audiosynth.representations.registry import LogMagnitude
from audiosynth.representations.simd_log_magnitude import (
    SIMD_FRAMES,
    _fourier,
    _on_every_core,
    _tables,
)
from audiosynth.representations.stft import stft, window_samples

CLIPS, FRAME, HOP, ITERATIONS = 64, 512, 128, 32
THEIRS = dict(n_fft=FRAME, hop_length=HOP, window="hamming")


def seconds(*functions, rounds):
    "Median (seconds, processor seconds) of each, taken in turn; the first round does not count."
    times = []
    for _ in range(rounds + 1):
        row = []
        for function in functions:
            start, busy = time.perf_counter(), time.process_time()
            function()
            row.append((time.perf_counter() - start, time.process_time() - busy))
        times.append(row)
    return np.median(times[1:], axis=0)


def line(what, ours, theirs, versus):
    clock, busy = theirs / ours
    print(
        f"{what:<42} {1e3 * ours[0]:6.0f} ms   {versus:<24} {1e3 * theirs[0]:6.0f} ms   "
        f"ratio {clock:4.1f}, of processor time {busy:4.1f}"
    )


def share(what, part, whole):
    print(
        f"{'  of which ' + what:<42} {1e3 * part[0]:6.0f} ms   "
        f"{part[0] / whole[0]:.0%} of the time, {part[1] / whole[1]:.0%} of the processor's"
    )


def fourier(framed):
    "As many transforms as `griffin_lim` makes of one clip, and nothing else."

    def there_and_back(step, framed):
        return step + 1, tf.signal.irfft(tf.signal.rfft(framed), [FRAME])

    return tf.while_loop(lambda step, _: step < ITERATIONS + 1, there_and_back, [0, framed])[1]


def simd_fourier(some):
    "As many transforms as `simd_log_magnitude` makes of these clips, and nothing else."
    twiddles, radices, *_ = _tables(FRAME // 2)
    real, imag = np.zeros((2, SIMD_FRAMES * FRAME // 2), np.float32)
    for _ in range(some.start, some.stop):
        for _ in range(2**14 // HOP // SIMD_FRAMES):
            _fourier(real, imag, twiddles, radices)


def fourier_or_product(rounds):
    "The windowed transform of frames: an FFT, or a product with a matrix that holds the window."
    for frame, hop in (
        (256, 128),
        *((512, hop) for hop in (64, 128, 256)),
        (1024, 128),
        (1024, 256),
    ):
        framed = tf.random.normal((CLIPS // 4 * 2**14 // hop, frame))
        window = window_samples("hamming", frame)
        matrix = np.fft.rfft(np.diag(window.astype(np.float64)))
        matrix = tf.constant(np.concatenate([matrix.real, matrix.imag], axis=1), tf.float32)
        product = tf.function(lambda framed, matrix: tf.matmul(framed, matrix))
        fft = tf.function(lambda framed, window: tf.signal.rfft(framed * window))
        ours, theirs = seconds(
            partial(fft, framed, window), partial(product, framed, matrix), rounds=rounds
        )
        line(f"FFT, frame {frame}, hop {hop}", ours, theirs, "matrix product")


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(row.split(":")[1].strip() for row in file if row.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        help="timed rounds of each comparison (default: %(default)s)",
    )
    rounds = parser.parse_args().rounds
    clips = load_clips("digits")
    waves = clips.waves(clips.where("train")[:CLIPS])
    log_mag = LogMagnitude().fit([waves])
    mean, spread = log_mag.statistics["mean"], 3 * log_mag.statistics["deviation"]
    graph = tf.function(log_mag.encode)
    tensor, magnitude = tf.constant(waves), tf.abs(stft(waves))
    listed = [np.abs(librosa.stft(wave, **THEIRS)) for wave in waves]

    def encoded(encode):
        return np.asarray(encode(tensor))  # waits for all of it and copies none

    def their_encode():
        for wave in waves:
            level = np.log(np.abs(librosa.stft(wave, **THEIRS)) + 1e-4).T[:, :-1]
            np.clip((level - mean) / spread, -1, 1)

    def their_griffin_lim():
        for one in listed:
            librosa.griffinlim(one, n_iter=ITERATIONS, momentum=0.99, random_state=0, **THEIRS)

    framed = tf.random.normal((CLIPS, 1, waves.shape[1] // HOP, FRAME))
    transforms = tf.function(
        lambda framed: tf.map_fn(fourier, framed, parallel_iterations=os.cpu_count())
    )
    once = tf.function(tf.signal.rfft)
    print(
        f"{processor()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}, "
        f"TensorFlow {tf.__version__}, librosa {librosa.__version__}; "
        f"{CLIPS} clips of {waves.shape[1]} samples, frame {FRAME}, hop {HOP}, median of {rounds}"
    )
    ours, inside, simd, ffts, theirs = seconds(
        lambda: encoded(log_mag.encode),
        lambda: encoded(graph),
        lambda: _on_every_core(simd_fourier, CLIPS),
        lambda: once(tf.reshape(framed, [CLIPS, -1, FRAME])),
        their_encode,
        rounds=rounds,
    )
    line("log-magnitude encoding", ours, theirs, "librosa, clip by clip")
    share("Fourier transforms", simd, ours)
    line("  inside a graph, as in training", inside, theirs, "librosa, clip by clip")
    share("Fourier transforms", ffts, inside)
    ours, ffts, theirs = seconds(
        lambda: griffin_lim(magnitude, iterations=ITERATIONS).numpy(),
        lambda: transforms(framed).numpy(),
        their_griffin_lim,
        rounds=rounds,
    )
    line(f"fast Griffin-Lim, {ITERATIONS} iterations", ours, theirs, "librosa, clip by clip")
    share("Fourier transforms", ffts, ours)
    notes = load_clips("piano")
    for name, sounds in (("speech", waves), ("piano", notes.waves(notes.where("train")[:CLIPS]))):
        magnitude = tf.abs(stft(sounds))
        pghi, iterations = seconds(
            lambda magnitude=magnitude: reconstruct(magnitude, phase="pghi").numpy(),
            lambda magnitude=magnitude: griffin_lim(magnitude, iterations=16).numpy(),
            rounds=rounds,
        )
        line(f"heap integration, waveform and all, {name}", pghi, iterations, "16 fast iterations")
    fourier_or_product(rounds)


if __name__ == "__main__":
    main()
