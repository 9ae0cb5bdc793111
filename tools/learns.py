# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Does a row learn? Trains rows small, and measures how far their sounds are from held-out clips, before and after, by a distance that no row was trained on.

The distance is Fréchet's between two Gaussians, of what a clip's log-mel spectrogram has on average and how much it varies over time (2 × 20 bands).
A row learns if it ends at least 30 % below its own untrained generator. The same command again goes on where it was."""
import argparse
import json
import time
from pathlib import Path

import numpy as np

from audiosynth.cli import quiet_tensorflow

quiet_tensorflow()

from audiosynth.experiments import ROWS, Experiment, TrainedModel, TrainingWaves, build, hearing_for, write_json
from audiosynth.representations import load_representation
from audiosynth.sources import load_clips
from audiosynth.spectral import mel_matrix
from audiosynth.training import Run, train

BANDS, FRAME, HOP = 20, 512, 256
ENOUGH = 0.30  # below the untrained generator's distance


def features(waves, rate):  # (clips, samples) → (clips, 2 · BANDS)
    "Mean and deviation over time of each band's log energy."
    frames = np.lib.stride_tricks.sliding_window_view(waves.astype(np.float64), FRAME, axis=1)[:, ::HOP] * np.hanning(FRAME)
    mel = np.abs(np.fft.rfft(frames)) @ mel_matrix(bins=FRAME // 2 + 1, rate=rate, mels=BANDS)
    level = np.log(mel + 1e-3)
    return np.concatenate([level.mean(1), level.std(1)], axis=1)


def root(matrix):
    "Of a symmetric matrix without negative eigenvalues."
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def frechet(one, two):  # (clips, features) twice
    "|μ₁ − μ₂|² + tr(S₁ + S₂ − 2 (S₁^½ S₂ S₁^½)^½)."
    s1, s2 = np.cov(one.T), np.cov(two.T)
    half = root(s1)
    return float(((one.mean(0) - two.mean(0))**2).sum() + np.trace(s1) + np.trace(s2) - 2 * np.trace(root(half @ s2 @ half)))


def untrained(run, args, clips):
    "The model as the run began with it: the same seed gives the same weights."
    about = run.about
    experiment, representation = Experiment(**about["experiment"]), load_representation(run.folder)
    gan = build(experiment, clips, representation, hearing=hearing_for(experiment, clips, representation, run.folder), seed=args.seed)
    return TrainedModel(gan.averaged, representation, about)


def judged(model, real, n):
    "The distance of n generated clips."
    return frechet(features(model.generate(n, seed=12), model.rate), real)


def learn(row, args, clips, real, floor):
    "Train one row and measure it; what is known is kept in `learns.json`."
    run = args.out/row
    began = time.monotonic()
    model = train(row, args.data, run, steps=args.steps, minutes=args.minutes, width=args.width, batch=args.batch, game=args.game,
                  save_every=10**9, seed=args.seed)
    before, after = [judged(m, real, args.n) for m in (untrained(Run(run), args, clips), model)]
    return {"updates": model.about["step"], "seconds": round(model.about["seconds"], 1), "this_time_s": round(time.monotonic() - began, 1), "untrained": before,
            "trained": after, "training_clips": floor, "below": 1 - after / before, "learns": bool(1 - after / before >= ENOUGH)}


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)} (default: all)")
    words.add_argument("--out", type=Path, required=True, help="folder of the runs and of learns.json")
    words.add_argument("--data", default="digits", help="a prepared folder, or digits (default)")
    words.add_argument("--steps", type=int, help="updates of the generator")
    words.add_argument("--minutes", type=float, help="or: how long to train each row")
    words.add_argument("--width", type=int, default=8, help="channels of the thinnest layer (default: 8)")
    words.add_argument("--batch", type=int, default=16, help="clips in an update of a network (default: 16)")
    words.add_argument("--game", help="wgan_gp or r1 (default: the row's)")
    words.add_argument("--n", type=int, default=256, help="clips to generate (default: 256)")
    words.add_argument("--seed", type=int, default=0)
    args = words.parse_args()
    clips = load_clips(args.data)
    real = features(clips.waves(clips.where("test")), clips.rate)
    floor = frechet(features(np.concatenate(list(TrainingWaves(clips))), clips.rate), real)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out/"learns.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    for row in args.rows or ROWS:
        known[row] = learn(row, args, clips, real, floor)
        write_json(path, known)
        print(f"{row:12} {known[row]['updates']:6} updates {known[row]['seconds']:7.0f} s   untrained {known[row]['untrained']:7.1f}   "
              f"trained {known[row]['trained']:7.1f}   {100 * known[row]['below']:4.0f} % below   training clips {floor:.1f}", flush=True)


if __name__ == "__main__":
    main()
