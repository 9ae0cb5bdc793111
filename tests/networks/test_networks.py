# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Gradients of every layer shape of every network against float64: oneDNN has been wrong by 2e-2 for one of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from audiosynth.data.sources import load_clips
from audiosynth.gan.build import fit_critic_representations, fit_representation, networks_for
from audiosynth.gan.experiments import ROWS
from audiosynth.networks.registry import critic

TOLERANCE = 1e-5  # relative, of the largest entry
PICTURE = (128, 256, 1)
PAPER = {
    "wave": (2**14, 1),
    "log_mag": PICTURE,
    "mag_phase": (128, 256, 2),
    "mag_if": (128, 256, 2),
    "stft": (128, 256, 2),
    "stft_mag": (128, 256, 2),
    "stft_wave": (128, 256, 2),
    "wave_mag": (2**14, 1),
    "wave_rwd": (2**14, 1),
    "mel_log_mag": (128, 128, 1),
    "mel_stft": (128, 256, 2),
    "digit": (64, 64, 1),
}


def networks(experiment):
    "The generator and the critics at the row's own width."
    clips = load_clips("digits")
    representation = fit_representation(experiment, clips)
    made, listeners = networks_for(
        experiment,
        representation,
        fit_critic_representations(experiment, clips, representation),
        10 if experiment.labels else 0,
        512,
    )
    return [made, *(listener.critic for listener in listeners)]


def shapes(experiments):
    "Each convolution or dense layer of the networks at the row's own width, once: its kind, its settings, the shapes of its weights."
    found = {}
    for experiment in experiments:
        for network in networks(experiment):
            for layer in network.layers:
                if not layer.weights or isinstance(layer, keras.layers.Embedding):
                    continue
                key = (
                    type(layer).__name__,
                    tuple(layer.input.shape[1:]),
                    tuple(layer.output.shape[1:]),
                    (*getattr(layer, "kernel_size", ()), *getattr(layer, "dilation_rate", ())),
                )
                found.setdefault(
                    key, (type(layer), layer.get_config(), [tuple(w.shape) for w in layer.weights])
                )
    return found


def name_of(key):
    return f"{key[0]}-{'x'.join(map(str, key[1]))}-{'x'.join(map(str, key[2]))}-{'x'.join(map(str, key[3]))}"


LAYERS = shapes(
    ROWS[row] for row in ("wave", "log_mag", "stft", "wave_rwd", "mel_log_mag", "digit")
)  # the others are made of the same networks


def gradients(kind, config, weights, x, into, dtype):
    "Output, and its gradients to input and weights, of a layer in dtype."
    config = dict(config, dtype=dtype, activation=None)
    config.pop("name", None)
    copy = kind.from_config(config)
    x = tf.constant(x, dtype)
    copy.build(x.shape)
    copy.set_weights([w.astype(dtype) for w in weights])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = copy(x)
        total = tf.reduce_sum(y * tf.constant(into, dtype))
    return [y, *tape.gradient(total, [x, *copy.trainable_variables])]


def gradients_equal_float64(key, layer):  # of a shape
    (kind, config, sizes), rng = layer, np.random.default_rng(0)
    x, into = (
        rng.normal(size=(3, *key[1])).astype("float32"),
        rng.normal(size=(3, *key[2])).astype("float32"),
    )
    weights = [
        (rng.normal(size=size) / np.sqrt(np.prod(size[:-1]))).astype("float32") for size in sizes
    ]
    for single, double in zip(
        *(gradients(kind, config, weights, x, into, dtype) for dtype in ("float32", "float64"))
    ):
        single, double = single.numpy().astype("float64"), double.numpy()
        assert np.abs(single - double).max() <= TOLERANCE * np.abs(double).max(), name_of(key)


@pytest.mark.parametrize("key", LAYERS, ids=name_of)
def test_gradients_of_a_layer_equal_float64(key):
    gradients_equal_float64(key, LAYERS[key])


@pytest.mark.parametrize("row", ROWS)
def test_the_representation_has_the_shape_of_the_paper(row):
    clips = load_clips("digits")
    representation = fit_representation(ROWS[row], clips)
    assert representation.shape == PAPER[row]
    x = representation.encode(clips.waves(clips.where("test")[:4])).numpy()
    assert x.shape == (4, *PAPER[row]) and np.isfinite(x).all() and np.abs(x).max() <= 1


def test_the_critic_reacts_to_the_last_samples():
    c = critic((2**14, 1), network="wavegan", width=4)
    x = np.random.default_rng(0).normal(size=(2, 2**14, 1)).astype("float32")
    x[1], x[1, -100:] = x[0], 0
    scores = c([x]).numpy()
    assert abs(float(scores[0, 0] - scores[1, 0])) > 1e-6
