# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Does a digit model say what it is asked to? The classifier of `audiosynth.evaluation.classifier` listens to what it generates.

Everything it hears is audio: generated clips are decoded to waveforms first, and real ones are given once as they are and once through the same representation and
back ("ceiling"), which is the best that any generator in it could sound. For a table with all figures and intervals: `audiosynth evaluate`.
"""

import argparse
import json
from pathlib import Path

from audiosynth.cli import quiet_tensorflow

quiet_tensorflow()

import numpy as np

from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips
from audiosynth.evaluation.classifier import classifier_for
from audiosynth.evaluation.evaluate import Reference
from audiosynth.evaluation.metrics import diversity, frechet, nearest
from audiosynth.training.train import model_at

ENOUGH = (
    0.98  # of the real test split the classifier must hear right, or its word counts for nothing
)


def through(model, waves):
    "Real clips, encoded and decoded by the model's representation."
    return np.concatenate(
        [
            model.representation.decode(model.representation.encode(waves[i : i + 50])).numpy()
            for i in range(0, len(waves), 50)
        ]
    )


def judged(waves, label, reference):
    "The figures of one set of clips that should say `label`."
    heard, flat = (
        reference.classifier.hear(waves),
        lambda pictures: pictures.reshape(len(pictures), -1),
    )
    near, pictures = (
        nearest(flat(heard.pictures), reference.flat),
        diversity(reference.flat, reference.label),
    )
    return dict(
        right=float((heard.log_p.argmax(1) == label).mean()),
        sure=float(np.exp(heard.log_p[np.arange(len(label)), label]).mean()),
        frechet=frechet(heard.embedding, reference.moments),
        diversity=diversity(heard.embedding, label) / reference.spread,
        picture_diversity=diversity(flat(heard.pictures), label) / pictures,
        nearest=float(np.median(near)),
        copies=float((near < reference.close).mean()),
    )


def main():
    words = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    words.add_argument("run", help="folder of a run with labels")
    words.add_argument("--data", default="digits", help="the data it was trained on")
    words.add_argument("--n", type=int, default=1000, help="generated clips")
    words.add_argument("--step", type=int, help="of which checkpoint (default: the newest)")
    words.add_argument("--seed", type=int, default=7)
    words.add_argument("--out", type=Path, help="where to write the figures, as JSON")
    args = words.parse_args()

    try:
        clips, model = load_clips(args.data), model_at(args.run, args.step)
    except InputError as error:
        words.error(str(error))
    if not clips.labels or model.labels != list(clips.labels):
        words.error(
            f"{args.run}: does not say the labels of {args.data}; for models without labels there is `audiosynth evaluate`"
        )
    reference, test = Reference(clips, classifier_for(clips)), clips.where("test")
    train = np.random.default_rng(args.seed).choice(
        clips.where("train"), args.n, replace=args.n > len(clips.where("train"))
    )
    sets = {
        "real test": (clips.waves(test), clips.label[test]),
        "ceiling (train, coded)": (through(model, clips.waves(train)), clips.label[train]),
        "generated": (
            model.generate(args.n, seed=args.seed),
            np.asarray(model.numbers(args.n, None)),
        ),
    }
    print(
        f"{model}\n{reference.classifier}\n{'':24}{'right':>7}{'sure':>7}{'FD':>8}{'diversity':>11}{'in pictures':>13}{'nearest':>9}{'copies':>8}"
    )
    scores = {}
    for name, (waves, label) in sets.items():
        s = scores[name] = judged(waves, label, reference)
        print(
            f"{name:24}{s['right']:7.3f}{s['sure']:7.3f}{s['frechet']:8.2f}{s['diversity']:11.2f}{s['picture_diversity']:13.2f}{s['nearest']:9.1f}{s['copies']:8.3f}",
            flush=True,
        )
    print(
        "right: heard as asked; sure: probability given to what was asked; FD: Fréchet distance to the training split on the classifier's embeddings; "
        "diversity: mean distance within a label as a share of the training split's, in embeddings and in pictures; nearest: median distance to the nearest training "
        "picture; copies: the share nearer to one than 99 % of the real test clips are."
    )
    if scores["real test"]["right"] < ENOUGH:
        print(
            f"The classifier hears less than {ENOUGH:.0%} of the real test split right: do not trust these figures."
        )
    if args.out:
        args.out.write_text(json.dumps(scores, indent=1) + "\n")


if __name__ == "__main__":
    main()
