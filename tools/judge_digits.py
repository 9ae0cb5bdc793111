# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Does a digit model say what it is asked to? A classifier of real digits listens to what it generates.

The classifier is trained on the real training split and checked on the real test split. Everything it hears is audio: generated
clips are decoded to waveforms first, and real ones are given once as they are and once through the same representation and back
("ceiling"), which is the best that any generator in it could sound.
"""
import argparse
import json
from pathlib import Path

from audiosynth.cli import quiet_tensorflow

quiet_tensorflow()

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from audiosynth.representations import MelLogMagnitude
from audiosynth.sources import load_clips
from audiosynth.training import model_at


def hear(ear, waves):
    "Pictures for the classifier, (n, frames, bins, 1)."
    return np.concatenate([ear.encode(waves[i:i + 100]).numpy() for i in range(0, len(waves), 100)])


UPDATES = 1380  # of the classifier, at least
ENOUGH = 0.98   # of the real test split it must hear right, or its word counts for nothing


def train_classifier(x, y, labels, seed=0, batch=64):
    "A small convolutional network; returns a model of (embedding, logits)."
    keras.utils.set_random_seed(seed)
    epochs = -(-UPDATES * batch // len(x))
    inputs = h = keras.Input(x.shape[1:])
    h = layers.RandomTranslation((-0.05, 0.15), 0.04, fill_mode="constant", fill_value=-1.0)(layers.GaussianNoise(0.1)(h))
    for channels in (16, 32, 64, 128):
        h = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(channels, 3, 2, padding="same", use_bias=False)(h)))
    embedding = layers.Dense(64, activation="relu")(layers.Dropout(0.3)(layers.Flatten()(h)))
    model = keras.Model(inputs, layers.Dense(labels)(embedding))
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-len(x) // batch))
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
    return keras.Model(inputs, [embedding, model.output])


def frechet(a, b):
    "Fréchet distance of two Gaussians fitted to embeddings (n, features), symmetric form (Heusel et al. 2017)."
    s, t = np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eigh(s)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ t @ root), 0)).sum()
    return float(np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(s) + np.trace(t) - 2 * cross)


def distances(a, b):
    "Euclidean distances (len(a), len(b)) of rows."
    squared = (a ** 2).sum(1)[:, None] + (b ** 2).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squared, 0))


def spread(x, y):
    "Mean distance of two different clips of the same label, averaged over labels."
    of = [distances(x[y == label], x[y == label]) for label in np.unique(y)]
    return float(np.mean([d.sum() / (len(d) * (len(d) - 1)) for d in of]))


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    words.add_argument("run", help="folder of a run with labels")
    words.add_argument("--data", default="digits", help="the data it was trained on")
    words.add_argument("--n", type=int, default=1000, help="generated clips")
    words.add_argument("--step", type=int, help="of which checkpoint (default: the newest)")
    words.add_argument("--seed", type=int, default=7)
    words.add_argument("--out", type=Path, help="where to write the figures, as JSON")
    args = words.parse_args()

    clips, model = load_clips(args.data), model_at(args.run, args.step)
    train, test = clips.where("train"), clips.where("test")
    ear = MelLogMagnitude(clips.samples, clips.rate).fit([clips.waves(train)])
    x, y = hear(ear, clips.waves(train)), clips.label[train]
    classifier = train_classifier(x, y, len(clips.labels))
    embed = lambda pictures: [part.numpy() for part in map(tf.convert_to_tensor, classifier.predict(pictures, verbose=0))]
    real = embed(x)[0]
    asked = np.arange(args.n) % len(clips.labels)
    through = lambda waves: np.concatenate([model.representation.decode(model.representation.encode(waves[i:i + 50])).numpy()
                                            for i in range(0, len(waves), 50)])
    rng = np.random.default_rng(args.seed)
    ceiling = rng.choice(train, args.n, replace=args.n > len(train))
    sets = {"real test": (clips.waves(test), clips.label[test]),
            "ceiling (train, coded)": (through(clips.waves(ceiling)), clips.label[ceiling]),
            "generated": (model.generate(args.n, seed=args.seed), asked)}
    scores, flat = {}, lambda pictures: pictures.reshape(len(pictures), -1)
    real_spread, real_picture_spread = spread(real, y), spread(flat(x), y)
    print(f"{model}\n{'':24}{'right':>7}{'sure':>7}{'FD':>8}{'diversity':>11}{'in pictures':>13}{'nearest':>9}{'copies':>8}")
    for name, (waves, label) in sets.items():
        pictures = hear(ear, waves)
        embedding, logits = embed(pictures)
        sure = tf.nn.softmax(logits).numpy()[np.arange(len(label)), label]
        nearest = distances(flat(pictures), flat(x)).min(1)
        if name == "real test": close = np.quantile(nearest, 0.01)
        scores[name] = dict(right=float((logits.argmax(1) == label).mean()), sure=float(sure.mean()), frechet=frechet(embedding, real),
                            diversity=spread(embedding, label) / real_spread, picture_diversity=spread(flat(pictures), label) / real_picture_spread,
                            nearest=float(np.median(nearest)), copies=float((nearest < close).mean()))
        s = scores[name]
        print(f"{name:24}{s['right']:7.3f}{s['sure']:7.3f}{s['frechet']:8.2f}{s['diversity']:11.2f}{s['picture_diversity']:13.2f}"
              f"{s['nearest']:9.1f}{s['copies']:8.3f}", flush=True)
    print("right: heard as asked; sure: probability given to what was asked; FD: Fréchet distance to the training split on the classifier's embeddings; "
          "diversity: mean distance within a label as a share of the training split's, in embeddings and in pictures; nearest: median distance to the nearest training "
          "picture; copies: the share nearer to one than 99 % of the real test clips are.")
    if scores["real test"]["right"] < ENOUGH: print(f"The classifier hears less than {ENOUGH:.0%} of the real test split right: do not trust these figures.")
    if args.out: args.out.write_text(json.dumps(scores, indent=1) + "\n")


if __name__ == "__main__":
    main()
