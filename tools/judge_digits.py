# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
# ruff: noqa: E402, TensorFlow must be quiet before it is imported
"""Does a digit model say the label that it is conditioned on? A classifier decides.

The classifier of `audiosynth.evaluation.classifier` classifies audio: generated clips are decoded
to waveforms first, and real ones are classified once as they are and once after encoding and
decoding by the same representation ("ceiling"), which is the best that any generator in it could
sound. For a table with all figures and intervals: `audiosynth evaluate`.
"""

import argparse
from pathlib import Path

from audiosynth.cli import quiet_tensorflow

quiet_tensorflow()

import numpy as np

from audiosynth.data.files import InputError, write_json
from audiosynth.data.sources import load_clips
from audiosynth.evaluation.classifier import classifier_for
from audiosynth.evaluation.evaluate import Reference
from audiosynth.evaluation.metrics import diversity, frechet_distance, nearest
from audiosynth.training.runs import model_at

# of the real test split the classifier must classify correctly, or its results count for nothing
ENOUGH = 0.98


def encoded_and_decoded(model, waves):
    "Real clips, encoded and decoded by the model's representation."
    return np.concatenate(
        [
            model.representation.decode(model.representation.encode(waves[i : i + 50])).numpy()
            for i in range(0, len(waves), 50)
        ]
    )


def metrics_of(waves, label, reference):
    "The figures of one set of clips that should say `label`."
    found = reference.classifier.classify(waves)
    spectrograms = flat(found.spectrograms)
    real = flat(reference.predictions.spectrograms)
    near, of_data = nearest(spectrograms, real), diversity(real, reference.label)
    return dict(
        right=float((found.log_p.argmax(1) == label).mean()),
        sure=float(np.exp(found.log_p[np.arange(len(label)), label]).mean()),
        frechet=frechet_distance(found.embedding, reference.moments),
        diversity=diversity(found.embedding, label) / reference.spread,
        spectrogram_diversity=diversity(spectrograms, label) / of_data,
        nearest=float(np.median(near)),
    )


def flat(x):
    "Everything of a clip in one row."
    return x.reshape(len(x), -1)


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
            f"{args.run}: does not say the labels of {args.data}; "
            "for models without labels there is `audiosynth evaluate`"
        )
    reference, test = Reference(clips, classifier_for(clips)), clips.where("test")
    train = np.random.default_rng(args.seed).choice(
        clips.where("train"), args.n, replace=args.n > len(clips.where("train"))
    )
    sets = {
        "real test": (clips.waves(test), clips.label[test]),
        "ceiling (train, coded)": (
            encoded_and_decoded(model, clips.waves(train)),
            clips.label[train],
        ),
        "generated": (
            model.generate(args.n, seed=args.seed),
            np.asarray(model.label_numbers(args.n, None)),
        ),
    }
    print(
        f"{model}\n{reference.classifier}\n{'':24}{'right':>7}{'sure':>7}{'FD':>8}"
        f"{'diversity':>11}{'in spectra':>13}{'nearest':>9}"
    )
    scores = {}
    for name, (waves, label) in sets.items():
        s = scores[name] = metrics_of(waves, label, reference)
        print(
            f"{name:24}{s['right']:7.3f}{s['sure']:7.3f}{s['frechet']:8.2f}"
            f"{s['diversity']:11.2f}{s['spectrogram_diversity']:13.2f}"
            f"{s['nearest']:9.1f}",
            flush=True,
        )
    print(
        "right: classified as the requested label; sure: probability of that label; "
        "FD: Fréchet distance to the training split on the classifier's embeddings; "
        "diversity: mean distance within a label as a share of the training split's, "
        "in embeddings and in spectrograms; nearest: median distance to the nearest training "
        "spectrogram. Whether clips are copies says `audiosynth evaluate`."
    )
    if scores["real test"]["right"] < ENOUGH:
        print(
            f"The classifier is right on less than {ENOUGH:.0%} of the real test split: "
            "do not trust these figures."
        )
    if args.out:
        write_json(args.out, scores)


if __name__ == "__main__":
    main()
