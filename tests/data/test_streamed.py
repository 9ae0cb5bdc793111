# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"What an iterator gives, as a `tf.data.Dataset`."

import itertools

import numpy as np
import tensorflow as tf

from audiosynth.data.clips import streamed


def test_elements_come_in_order_a_few_made_ahead_and_nothing_is_tuned():
    made = []

    def elements():
        for i in itertools.count():
            made.append(i)
            yield {"wave": np.full((2, 3), i, "float32"), "label": np.full(2, i, "int32")}

    stream = streamed(
        elements,
        {"wave": tf.TensorSpec((2, 3), tf.float32), "label": tf.TensorSpec((2,), tf.int32)},
        ahead=3,
    )
    assert (
        stream.options().autotune.enabled is False
    )  # its thread keeps whoever lets go of a dataset waiting
    heard = list(itertools.islice(stream, 5))
    assert [int(e["label"][0]) for e in heard] == [0, 1, 2, 3, 4] and all(
        (e["wave"].numpy() == i).all() for i, e in enumerate(heard)
    )
    assert 5 <= len(made) <= 5 + 3 + 1  # endless, and no more than asked for is made beforehand


def test_an_end_is_an_end():
    assert [int(x) for x in streamed(lambda: iter(range(4)), tf.TensorSpec((), tf.int32))] == [
        0,
        1,
        2,
        3,
    ]
