# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Mel representations with phase: least squares, and the frequency of a sine."

import numpy as np
import pytest
import tensorflow as tf

from audiosynth.data.files import InputError
from audiosynth.representations.mel_complex import MelMagIF, MelStft

NOISE = np.random.default_rng(0).uniform(-1, 1, (2, 2**14)).astype(np.float32)


def test_the_mel_stft_is_undone_by_least_squares():
    made = MelStft().fit([NOISE])
    assert np.sqrt(((made.decode(made.encode(NOISE)) - NOISE).numpy() ** 2).mean()) < 1e-5
    rng = np.random.default_rng(1)
    wave, x = (
        rng.normal(size=(1, 2**14)).astype(np.float32),
        rng.normal(size=(1, *made.shape)).astype(np.float32),
    )
    there, back = (
        float(tf.reduce_sum(made.analyse(wave) * x)),
        float(tf.reduce_sum(wave * made.transpose(x))),
    )
    assert np.isclose(there, back, rtol=1e-3, atol=1e-1)  # `transpose` is that of `analyse`
    with pytest.raises(InputError, match="use more filters"):
        MelStft(mels=64)


def test_mel_frequency_of_a_sine_is_its_own():
    made = MelMagIF().fit([NOISE])
    sine = np.sin(2 * np.pi * 440 * np.arange(2**14) / 16000)[None].astype(np.float32)
    x = made.encode(sine)[0].numpy()
    loud = x[64, :, 0].argmax()
    wanted = 2 * 440 * made.hop / 16000
    assert (
        np.abs(x[6:-6, loud - 1 : loud + 2, 1] - (wanted - 2 * np.round(wanted / 2))).max() < 1e-3
    )
