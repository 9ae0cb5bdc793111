# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"A layer's gradients beside those of float64. This imports no networks: a new process is fast here."

import numpy as np
import tensorflow as tf
from command import in_process

TOLERANCE = 1e-5  # relative, of the largest entry
LARGE = 2**22  # weights; what oneDNN keeps for such a layer goes only when its process ends


def name_of(key):
    return "-".join([key[0], *("x".join(map(str, sizes)) for sizes in key[1:])])


def gradients(kind, config, weights, x, into, dtype):
    "Output, and its gradients to input and weights, of a layer in dtype."
    config = dict(config, dtype=dtype, activation=None, kernel_initializer="zeros")
    config.pop("name", None)
    copy = kind.from_config(config)
    x = tf.constant(x, dtype)
    copy.build(x.shape)
    for variable, value in zip(copy.weights, weights, strict=True):
        variable.assign(value.astype(dtype))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = copy(x)
        total = tf.reduce_sum(y * tf.constant(into, dtype))
    return [y, *tape.gradient(total, [x, *copy.trainable_variables])]


def normal(rng, size, scale=1.0):
    "Random numbers, float32."
    return rng.standard_normal(size, "float32") * np.float32(scale)


def compare(key, layer):  # of a shape
    (kind, config, sizes), rng = layer, np.random.default_rng(0)
    x, into = normal(rng, (2, *key[1])), normal(rng, (2, *key[2]))
    weights = [normal(rng, size, 1 / np.sqrt(np.prod(size[:-1]))) for size in sizes]
    singles, doubles = (
        gradients(kind, config, weights, x, into, dtype) for dtype in ("float32", "float64")
    )
    for _ in range(len(singles)):  # 300 MB at a time for the largest kernel
        single, double = singles.pop().numpy(), doubles.pop().numpy()
        most = TOLERANCE * max(double.max(), -double.min())
        double -= single
        assert max(double.max(), -double.min()) <= most, name_of(key)


def gradients_equal_float64(key, layer):
    "Is every gradient that of float64? A large layer is looked at in a process of its own."
    if max(np.prod(size) for size in layer[2]) < LARGE:
        compare(key, layer)
    else:
        in_process(compare, key, layer)
