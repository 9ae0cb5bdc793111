# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Networks conditioned on notes or the past: every layer shape that this brings, and the whole loss
of every critic with its joint penalty, against float64."""

from contextlib import contextmanager

import keras
import numpy as np
import pytest
import tensorflow as tf
from float64 import gradients_equal_float64
from test_conditional import clips, made  # noqa: F401, the fixture and what builds a small row
from test_convolutions import near
from test_networks import LAYERS, shapes

from audiosynth.gan import losses
from audiosynth.gan.rows import CONDITIONAL, select_row
from audiosynth.networks.registry import critic

CASES = [(row, CONDITIONAL[row].condition) for row in CONDITIONAL] + [("digit", "previous")]
TRIED = {*LAYERS}  # with the rows without a condition
LOSSES = [
    (row, condition)
    for row in ("wave_mag", "stft_mag", "digit")
    for condition in ("midi", "previous")
]  # one and two dimensions, both objectives
TOLERANCE = 1e-4  # relative, of the largest entry of a layer
pytestmark = pytest.mark.usefixtures("as_in_training", "two_critic_updates")


@pytest.mark.parametrize("row, condition", CASES)
def test_gradients_of_the_layers_that_a_condition_brings_equal_float64(row, condition):
    "At the row's own width, every shape once."
    for key, layer in shapes([select_row(row, condition=condition)]).items():
        if key in TRIED:
            continue
        TRIED.add(key)
        gradients_equal_float64(key, layer)


@contextmanager
def doubles():
    "Networks made here are float64 from their inputs on."
    policy = keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy(policy)


def in_double(gan, i):
    "Critic i once more, float64, of the same weights."
    ours = gan.critic_networks[i]
    with doubles():
        copy = critic(
            ours.inputs[0].shape[1:],
            network="wavegan" if len(ours.inputs[0].shape) == 3 else gan.network,
            width=2,
            condition_shape=ours.inputs[1].shape[1:],
        )
    copy.set_weights([w.numpy().astype("float64") for w in ours.weights])
    return copy


def loss_by_hand(gan, critic, real, fake, alpha):
    "As the papers have it: both scores, and one penalty for the joint gradient."
    mean, softplus, wasserstein = tf.reduce_mean, tf.nn.softplus, gan.objective.penalty_every == 1
    where = (
        [
            r + tf.reshape(alpha, (-1, *[1] * (r.shape.rank - 1))) * (f - r)
            for r, f in zip(real, fake)
        ]
        if wasserstein
        else real
    )
    with tf.GradientTape() as tape:
        tape.watch(where)
        total = tf.reduce_sum(critic(where))
    squares = sum(tf.reduce_sum(g**2, range(1, g.shape.rank)) for g in tape.gradient(total, where))
    if wasserstein:
        return (
            mean(critic(fake))
            - mean(critic(real))
            + gan.penalty_weight * mean((tf.sqrt(squares) - 1) ** 2)
        )
    return (
        mean(softplus(-critic(real)))
        + mean(softplus(critic(fake)))
        + gan.penalty_weight * gan.objective.penalty_every * mean(squares) / 2
    )


def gradients_by_hand(gan, critic, *pairs):
    with tf.GradientTape() as tape:
        loss = loss_by_hand(gan, critic, *pairs)
    return [loss, *tape.gradient(loss, critic.trainable_variables)]


@pytest.fixture(params=LOSSES, ids="-".join)
def conditioned(request, clips):  # noqa: F811
    "A small GAN whose every weight counts; for each critic the pairs of an update."
    row, condition = request.param
    gan, rng = made(clips, row, condition=condition), np.random.default_rng(0)
    gan.network = "compact" if row == "digit" else "specgan"
    for network in (gan.generator, *gan.critic_networks):
        for weight in network.trainable_variables:
            if weight.ndim == 1:
                weight.assign(rng.normal(0, 0.1, weight.shape))
    rows, others = clips.where("train")[1:4], clips.where("train")[4:7]
    own, other = (
        clips.histories(r) if condition == "midi" else clips.pasts(r) for r in (rows, others)
    )
    z = tf.constant(rng.uniform(-1, 1, (3, 64)), tf.float32)
    x = gan.convert_for_critics(gan.generator([z, gan.encode_condition_for(0, other)]))
    pairs = [
        (
            [critic.representation.encode(clips.waves(rows)), gan.encode_condition_for(i + 1, own)],
            [x[i], gan.encode_condition_for(i + 1, other)],
        )
        for i, critic in enumerate(gan.critics)
    ]
    return gan, pairs, tf.constant([0.2, 0.5, 0.9])


def of_the_trainer(gan, i, real, fake, alpha, way=lambda losses: losses):  # in a graph, or not
    "Loss and gradients as the trainer computes them."
    _, loss, _, *gradients = way(lambda: gan._critic_gradients(i, real, fake, alpha, True))()
    return [loss, *gradients]


def close(single, double):
    """Is the loss right, and every gradient?

    A layer's kernel and bias are on one scale: a bias's gradient is small by cancelling.
    """

    def both(parts, k):
        return np.concatenate([np.ravel(part) for part in parts[k : k + 2]])

    return near(single[0], double[0], TOLERANCE) and all(
        near(both(single, k), both(double, k), TOLERANCE) for k in range(1, len(single), 2)
    )


def test_the_gradient_of_the_whole_loss_equals_float64(conditioned, monkeypatch):
    "As a step of training computes it. Without the condition's part of the gradient, it would not."
    gan, pairs, alpha = conditioned

    def as_doubles(part):
        return [tf.cast(p, "float64") for p in part]

    for i, (real, fake) in enumerate(pairs):
        double = gradients_by_hand(
            gan, in_double(gan, i), as_doubles(real), as_doubles(fake), tf.cast(alpha, "float64")
        )
        assert close(
            of_the_trainer(gan, i, real, fake, alpha, tf.function(autograph=False)), double
        ), i
        with monkeypatch.context() as broken:
            norm = losses.gradient_norm
            broken.setattr(
                losses,
                "gradient_norm",
                lambda score, pair, norm=norm: norm(lambda x: score(x, *pair[1:]), pair[:1]),
            )
            assert not close(of_the_trainer(gan, i, real, fake, alpha), double), i


def test_the_float64_gradient_is_the_losss_slope(conditioned):
    "Along a random direction in all the weights of a critic, by two evaluations of the loss."
    gan, pairs, alpha = conditioned
    (real, fake), network, rng = (
        ([tf.cast(p, "float64") for p in part] for part in pairs[-1]),
        in_double(gan, -1),
        np.random.default_rng(1),
    )

    def loss():
        return loss_by_hand(gan, network, real, fake, tf.cast(alpha, "float64")).numpy()

    _, *gradients = gradients_by_hand(gan, network, real, fake, tf.cast(alpha, "float64"))
    weights, step, there = (
        network.trainable_variables,
        [rng.normal(0, 1e-7, w.shape) for w in network.trainable_variables],
        network.get_weights(),
    )

    def at(sign):
        network.set_weights([w + sign * s for w, s in zip(there, step)])
        return loss()

    rise = at(1) - at(-1)
    assert (
        np.isclose(rise / 2, sum((g.numpy() * s).sum() for g, s in zip(gradients, step)), rtol=1e-3)
        and abs(rise) > 0
        and len(weights) == len(there)
    )
