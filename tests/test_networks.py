# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Gradients of every layer shape of every network against float64: oneDNN has been wrong by 2e-2 for one of them."""
import keras
import numpy as np
import pytest
import tensorflow as tf

from audiosynth.experiments import ROWS, representation_for
from audiosynth.networks import critic, generator
from audiosynth.sources import load_clips

TOLERANCE = 1e-5  # relative, of the largest entry
PAPER = {"wave": (2**14, 1), "log_mag": (128, 256, 1), "mel_log_mag": (128, 128, 1), "digit": (64, 64, 1)}


def networks(row, width):
    common = dict(network=ROWS[row].network, width=width, labels=10 if ROWS[row].labels else 0)
    return generator(PAPER[row], **common), critic(PAPER[row], **common)


def shapes():
    "Each convolution or dense layer of the networks at the row's own width, once."
    found = {}
    for row, experiment in ROWS.items():
        for network in networks(row, experiment.width):
            for layer in network.layers:
                if not layer.weights or isinstance(layer, keras.layers.Embedding): continue
                key = (type(layer).__name__, tuple(layer.input.shape[1:]), tuple(layer.output.shape[1:]), getattr(layer, "kernel_size", ()))
                found.setdefault(key, layer)
    return found


LAYERS = shapes()


def gradients(layer, weights, x, into, dtype):
    "Output, and its gradients to input and weights, of a copy of the layer in dtype."
    config = dict(layer.get_config(), dtype=dtype, activation=None)
    config.pop("name", None)
    copy = type(layer).from_config(config)
    x = tf.constant(x, dtype)
    copy.build(x.shape)
    copy.set_weights([w.astype(dtype) for w in weights])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = copy(x)
        total = tf.reduce_sum(y * tf.constant(into, dtype))
    return [y, *tape.gradient(total, [x, *copy.trainable_variables])]


@pytest.mark.parametrize("key", LAYERS, ids=lambda k: f"{k[0]}-{'x'.join(map(str, k[1]))}-{'x'.join(map(str, k[2]))}-{'x'.join(map(str, k[3]))}")
def test_gradients_of_a_layer_equal_float64(key):
    layer, rng = LAYERS[key], np.random.default_rng(0)
    x, into = rng.normal(size=(3, *key[1])).astype("float32"), rng.normal(size=(3, *key[2])).astype("float32")
    weights = [np.asarray(w) for w in layer.get_weights()]
    for single, double in zip(gradients(layer, weights, x, into, "float32"), gradients(layer, weights, x, into, "float64")):
        single, double = single.numpy().astype("float64"), double.numpy()
        assert np.abs(single - double).max() <= TOLERANCE * np.abs(double).max()


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_the_shapes_of_its_paper(row):
    g, c = networks(row, ROWS[row].width)
    assert tuple(g.output.shape[1:]) == PAPER[row] == tuple(c.inputs[0].shape[1:])
    assert int(c.outputs[0].shape[-1]) == 1


@pytest.mark.parametrize("row", ROWS)
def test_the_representation_gives_what_the_networks_take(row):
    clips = load_clips("digits")
    representation = representation_for(ROWS[row], clips)
    assert representation.shape == PAPER[row]
    x = representation.encode(clips.waves(clips.where("test")[:4])).numpy()
    assert x.shape == (4, *PAPER[row]) and np.isfinite(x).all() and np.abs(x).max() <= 1


def test_the_critic_reacts_to_the_last_samples():
    c = critic((2**14, 1), network="wavegan", width=4)
    x = np.random.default_rng(0).normal(size=(2, 2**14, 1)).astype("float32")
    x[1], x[1, -100:] = x[0], 0
    scores = c([x]).numpy()
    assert abs(float(scores[0, 0] - scores[1, 0])) > 1e-6
