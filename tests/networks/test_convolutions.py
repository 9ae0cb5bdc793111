# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""The convolutions and Adam are Keras's.

The same sums to every order of differentiation, the same weights under the same names, files that
open either way.
"""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from command import in_process
from float64 import LARGE
from keras import layers

from audiosynth.data.sources import load_clips
from audiosynth.gan.experiment import resolve
from audiosynth.gan.losses import gradient_penalty, interpolate
from audiosynth.gan.trained_model import TrainedModel, load_model
from audiosynth.networks import (
    convolutions,
    fast_convolutions,
    specgan,
    strided_convolutions,
    wavegan,
)
from audiosynth.networks import registry as networks
from audiosynth.networks.adam import Adam
from audiosynth.networks.convolutions import Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose
from audiosynth.training.runs import named_variables, read_checkpoint, write_checkpoint

KINDS = (Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose)
SETTINGS = {1: dict(kernel_size=36, strides=4), 2: dict(kernel_size=6, strides=2)}
TOLERANCE = 1e-5  # relative, of the largest entry


def theirs(kind):
    return getattr(layers, kind.__name__)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def near(one, two, tolerance=TOLERANCE):
    one, two = np.asarray(one, "float64"), np.asarray(two, "float64")
    return one.shape == two.shape and np.abs(one - two).max() <= tolerance * np.abs(two).max()


METHODS = {  # the least weights for im2col, the least products for fast FIR and Winograd
    "stride one": (2**60, 2**60),
    "im2col": (0, 2**60),
    "fewer": (2**60, 0),
    "fewer by im2col": (0, 0),
}


def take(method, monkeypatch):
    "Compute by this method, whatever the shape."
    weights, products = METHODS[method]
    monkeypatch.setattr(strided_convolutions, "IM2COL_WEIGHTS", weights)
    for name in ("FAST_FIR_PRODUCTS", "WINOGRAD_CHANNELS", "WINOGRAD_PRODUCTS"):
        monkeypatch.setattr(fast_convolutions, name, products)
    if not products:
        monkeypatch.setattr(fast_convolutions, "FAST_FIR_STEPS", 2)


@pytest.fixture(params=METHODS)
def method(request, monkeypatch):
    "Every method in turn."
    take(request.param, monkeypatch)
    return request.param


@pytest.fixture
def stock_networks(monkeypatch):
    "A `with` in which networks are made of Keras's own layers."

    def use():
        for module in (wavegan, specgan):
            for kind in KINDS:
                if hasattr(module, kind.__name__):
                    monkeypatch.setattr(module, kind.__name__, theirs(kind))

    yield use
    monkeypatch.undo()


def derivatives(layer, x, into, again):
    "Output, gradients, and the gradients of a gradient, as the penalty takes them."
    with tf.GradientTape() as outer:
        outer.watch([x, into])
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = layer(x)
            total = tf.reduce_sum(tf.square(y) * into)
        gradient = inner.gradient(total, x)
        second = tf.reduce_sum(gradient * again)
    return [y, gradient, *outer.gradient(second, [x, into, *layer.trainable_variables])]


@pytest.mark.parametrize("kind", KINDS)
def test_every_derivative_of_a_layer_is_the_stock_layers(kind, method):
    ours, stock = [
        made(
            3,
            padding="same",
            dtype="float64",
            bias_initializer="ones",
            **SETTINGS[1 if "1" in kind.__name__ else 2],
        )
        for made in (kind, theirs(kind))
    ]
    x = tf.constant(normal(2, 32, 2) if ours.rank == 1 else normal(2, 8, 12, 2))
    into, again = tf.constant(normal(*ours(x).shape, seed=1)), tf.constant(normal(*x.shape, seed=2))
    stock(x)
    stock.set_weights(ours.get_weights())
    for one, two in zip(
        derivatives(ours, x, into, again), derivatives(stock, x, into, again), strict=True
    ):
        assert near(one, two, 1e-10)


def single_and_double(make):
    "A network or layer in both precisions, with the same weights."
    made, policy = [], keras.config.dtype_policy()
    try:
        for name in ("float32", "float64"):
            keras.config.set_dtype_policy(name)
            made.append(make())
    finally:
        keras.config.set_dtype_policy(policy)
    made[1].set_weights(made[0].get_weights())
    return made


def loss_gradients(critic, real, fake, alpha):
    "Of a critic's whole loss, penalty included."

    def score(x):
        return critic([x])

    with tf.GradientTape() as tape:
        loss = (
            tf.reduce_mean(score(fake))
            - tf.reduce_mean(score(real))
            + 10 * gradient_penalty(score, interpolate([real], [fake], alpha))
        )
    return [loss, *tape.gradient(loss, critic.trainable_variables)]


@pytest.mark.parametrize(
    "batch,method",
    [
        (3, "stride one"),
        (16, "stride one"),
        (48, "stride one"),
        (16, "im2col"),
        (16, "fewer"),
        (48, "fewer by im2col"),
    ],
)
@pytest.mark.parametrize("network,shape", [("wavegan", (2**12, 1)), ("specgan", (32, 64, 2))])
def test_the_gradient_of_the_critics_loss_equals_float64(
    network, shape, batch, method, monkeypatch
):
    take(method, monkeypatch)
    keras.utils.set_random_seed(1)
    critics = single_and_double(lambda: networks.critic(shape, network=network, width=4))
    # Where a rectifier's input is 0 to rounding, the two precisions may take different sides: how
    # many clips have one depends on the processor, so another draw may take the place of the first.
    assert any(gradients_agree(critics, shape, batch, seed) for seed in (0, 2, 4))


def gradients_agree(critics, shape, batch, seed):
    "Do a critic and its double precision agree on the loss and all its gradients?"
    found = []
    for critic in critics:
        kind = critic.compute_dtype
        real, fake = normal(batch, *shape, seed=seed), normal(batch, *shape, seed=seed + 1)
        arrays = [
            tf.constant(a.astype("float32"), kind)
            for a in (real, 0.3 * fake + 0.3, np.linspace(0, 1, batch))
        ]
        found.append([np.asarray(v, "float64") for v in loss_gradients(critic, *arrays)])
    (loss, *single), (true_loss, *double) = found
    # a layer's kernel and bias on one scale: a bias's gradient, real less fake, nearly cancels
    pairs = [
        [np.concatenate([array.ravel() for array in part[k : k + 2]]) for part in (single, double)]
        for k in range(0, len(single), 2)
    ]
    return near(loss, true_loss) and all(near(one, two) for one, two in pairs)


@pytest.mark.parametrize("batch", [16, 48])
@pytest.mark.parametrize(
    "kind,shape,outputs",
    [
        (Conv1D, (64, 512), 1024),
        (Conv1DTranspose, (16, 1024), 512),
        (Conv1D, (1024, 1), 64),
        (Conv1DTranspose, (1024, 64), 1),
        (Conv1D, (1024, 128), 256),
        (Conv1D, (256, 256), 512),
        (Conv1DTranspose, (256, 256), 128),
        (Conv1D, (512, 64), 128),
        (Conv2D, (32, 64, 1), 64),
        (Conv2DTranspose, (32, 64, 64), 1),
        (Conv2D, (16, 32, 64), 128),
        (Conv2DTranspose, (8, 16, 128), 64),
        (Conv2D, (16, 32, 128), 256),
        (Conv2DTranspose, (8, 16, 512), 256),
        (Conv2D, (8, 16, 512), 1024),
        (Conv2DTranspose, (4, 8, 1024), 512),
    ],
)
def test_gradients_of_the_papers_layers_equal_float64(kind, shape, outputs, batch):
    if batch == 16 and max(shape) * outputs >= 2**19 and shape[-1] > 64:
        pytest.skip("its 19 million weights are tried at 2 and 48")
    size = np.prod(
        [SETTINGS[len(shape) - 1]["kernel_size"] ** (len(shape) - 1), shape[-1], outputs]
    )
    args = kind, shape, outputs, batch
    papers_layer(*args) if size < LARGE else in_process(papers_layer, *args)


def papers_layer(kind, shape, outputs, batch):
    "Are output and gradients those of float64?"
    keras.utils.set_random_seed(1)

    def make():
        layer = kind(outputs, padding="same", **SETTINGS[len(shape) - 1])
        layer.build((None, *shape))
        return layer

    found = []
    for layer in single_and_double(make):
        x = tf.constant(normal(batch, *shape).astype("float32"), layer.dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            total = tf.reduce_sum(
                y * tf.constant(normal(*y.shape, seed=1).astype("float32"), layer.dtype)
            )
        found.append([y, *tape.gradient(total, [x, layer.trainable_variables[0]])])
    for single, double in zip(*found, strict=True):
        assert near(single, double)


def test_which_method_a_layer_takes():
    def im2col(*kernel, positions):
        return strided_convolutions.prefers_im2col(tf.zeros(kernel), positions)

    assert im2col(1, 36, 512, 1024, positions=16) and im2col(1, 5, 1024, 512, positions=32)
    assert not im2col(1, 36, 64, 128, positions=16) and not im2col(1, 36, 128, 256, positions=256)

    def fast_fir(*kernel, steps):
        return fast_convolutions.prefers_fast_fir(tf.zeros((1, *kernel)), steps)

    assert (
        fast_fir(9, 256, 128, steps=1024)
        and fast_fir(9, 512, 256, steps=256)
        and fast_fir(9, 1024, 512, steps=64)
        and fast_fir(5, 512, 256, steps=128)
    )
    assert (
        not fast_fir(9, 2048, 1024, steps=16)
        and not fast_fir(9, 128, 64, steps=1024)
        and not fast_fir(4, 512, 256, steps=128)
        and not fast_fir(9, 512, 256, steps=257)
        and not fast_fir(3, 256, 128, steps=1024)
    )

    def winograd(*channels, size=(8, 16), high=6):
        return fast_convolutions.prefers_winograd(tf.zeros((high, 6, *channels)), (2, 2), size)

    assert winograd(64, 128) and winograd(512, 256) and winograd(128, 256, size=(4, 8))
    assert (
        not winograd(32, 64, size=(32, 64))
        and not winograd(64, 128, size=(4, 8))
        and not winograd(64, 128, size=(32, 64))
        and not winograd(512, 256, size=(7, 16))
        and not winograd(512, 256, high=4)
    )

    def fast(size=36, strides=4, steps=64, **settings):
        return convolutions.takes_fast_method(
            Conv1D(2, size, strides, **{"padding": "same", **settings}), (steps,)
        )

    assert (
        fast()
        and not fast(padding="valid")
        and not fast(steps=66)
        and not fast(size=25)
        and not fast(steps=None)
    )
    assert not convolutions.takes_fast_method(Conv2D(2, 4, 2, padding="same"), (8, 8)) and not fast(
        size=3, strides=1, dilation_rate=2
    )


@pytest.mark.parametrize("kind", KINDS)
def test_on_a_gpu_and_where_strides_do_not_divide_the_stock_layer_is_what_runs(kind, monkeypatch):
    def refuse(*_):
        raise AssertionError("fast method")

    for name in ("convolve", "convolve_transpose"):
        monkeypatch.setattr(convolutions, name, refuse)
    settings, axes = (SETTINGS[1], 1) if "1" in kind.__name__ else (SETTINGS[2], 2)
    x = tf.zeros((2, *(12,) * axes, 1))
    assert kind(2, 5, 3, padding="same")(x).shape[-1] == 2
    with pytest.raises(AssertionError, match="fast method"):
        kind(2, padding="same", **settings)(x)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["a GPU"])
    assert kind(2, padding="same", **settings)(x).shape[-1] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_precision_stays(kind):
    settings = dict(
        padding="same", dtype="mixed_bfloat16", **SETTINGS[1 if "1" in kind.__name__ else 2]
    )
    ours, stock = kind(3, **settings), theirs(kind)(3, **settings)
    x = tf.constant(normal(2, *(16,) * ours.rank, 2), "float32")
    ours(x), stock(x)
    stock.set_weights(ours.get_weights())
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.cast(ours(x), "float32") ** 2)
    gradient = tape.gradient(total, ours.trainable_variables[0])
    assert (
        ours(x).dtype == stock(x).dtype == "bfloat16"
        and gradient.dtype == ours.trainable_variables[0].dtype == "float32"
    )
    assert (
        near(tf.cast(ours(x), "float32"), tf.cast(stock(x), "float32"), 0.03)
        and np.isfinite(gradient).all()
    )


def small(row, clips):
    return resolve(row, clips, seed=1, width=2, batch=2).fit().build()


def packages(network):
    return {type(layer).__module__.split(".")[0] for layer in network.layers}


@pytest.mark.parametrize("row", ["wave", "log_mag"])
def test_models_and_checkpoints_open_either_way(row, tmp_path, stock_networks, monkeypatch):
    clips = load_clips("digits")
    ours = small(row, clips)
    stock_networks()
    stock = small(row, clips)
    # as models were saved before there was this chapter
    assert packages(stock.generator) == {"keras"}
    assert [w.path for w in stock.generator.weights] == [w.path for w in ours.generator.weights]
    assert all(
        np.array_equal(a, b)
        for a, b in zip(
            named_variables(stock).values(), named_variables(ours).values(), strict=True
        )
    )  # drawn alike too
    for weight in stock.generator.weights:
        weight.assign_add(0.01 * tf.ones_like(weight))
    write_checkpoint(tmp_path / "stock.npz", stock, 0)
    read_checkpoint(tmp_path / "stock.npz", ours)
    about = {"row": row, "labels": []}
    for name, gan in (("stock", stock), ("ours", ours)):
        TrainedModel(gan.ema_generator, gan.representation, about).save(tmp_path / name)
    one, two = [load_model(tmp_path / name) for name in ("stock", "ours")]
    assert "audiosynth" in packages(two.generator)
    z = normal(3, 64).astype("float32")
    assert near(one.generator(z), two.generator(z)) and one.generate(1, seed=1).std() > 0


def test_keras_alone_opens_a_saved_network(tmp_path):
    network = networks.generator((2**10, 1), network="wavegan", width=2)
    network.save(tmp_path / "generator.keras")
    names = [kind.__name__ for kind in KINDS]
    script = f"""if True:
        import keras, numpy as np
        ours = {{"audiosynth>" + name: getattr(keras.layers, name) for name in {names}}}
        path = {str(tmp_path / "generator.keras")!r}
        network = keras.models.load_model(path, custom_objects=ours)
        assert all(type(layer).__module__.startswith("keras.") for layer in network.layers)
        np.save({str(tmp_path / "sound.npy")!r}, network(np.ones((2, 64), "float32")))"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    assert near(np.load(tmp_path / "sound.npy"), network(np.ones((2, 64), "float32")))


def compiled_step(optimizer, weights):
    return tf.function(lambda: optimizer.apply([tf.cos(weights.value)], [weights]), autograph=False)


def test_adam_is_kerass_where_variables_are_mirrored():
    settings, found = dict(learning_rate=1e-2, beta_1=0.5, beta_2=0.9, epsilon=1e-8), []
    for kind in (Adam, keras.optimizers.Adam):
        with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
            weights, optimizer = keras.Variable(normal(5, 3)), kind(**settings)
            optimizer.build([weights])
        step = compiled_step(optimizer, weights)
        for _ in range(5):
            tf.distribute.get_strategy().run(step)
        found.append([np.asarray(v) for v in (weights, *optimizer.variables)])
    assert all(np.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in zip(*found, strict=True))
