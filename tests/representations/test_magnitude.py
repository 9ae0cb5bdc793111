# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Log-magnitudes: compiled and plain, statistics, the top of the band, the fixed range."

import numpy as np
import tensorflow as tf
from representation_kinds import SAMPLES, sounds

from audiosynth.representations.base import RunningMoments
from audiosynth.representations.magnitude import LogMagnitude, MelLogMagnitude


def test_the_compiled_log_magnitude_is_the_plain_one():
    "Its values, its gradient, and the gradient of that, silence included; inside a graph too."
    made = LogMagnitude(SAMPLES).fit([sounds(8, 0)])
    wave = tf.constant(np.concatenate([sounds(2, 1), np.zeros((1, SAMPLES), np.float32)]))

    def bent(encode):
        with tf.GradientTape() as outer:
            outer.watch(wave)
            with tf.GradientTape() as inner:
                inner.watch(wave)
                x = encode(wave)
                total = tf.reduce_sum(x**3)
            slope = inner.gradient(total, wave)
            size = tf.reduce_sum(tf.tanh(slope) ** 2)
        return x, slope, outer.gradient(size, wave)

    plain = bent(lambda wave: made.from_level(made.level(wave)))
    for found, near in (
        (bent(made.encode), 5e-3),
        (tf.function(lambda: bent(made.encode))(), 1e-3),
    ):  # with SIMD quiet bins round otherwise
        for ours, theirs in zip(found, plain):
            assert np.isfinite(ours).all() and np.abs(theirs).max() > 0
            assert np.abs(ours - theirs).max() < near * np.abs(theirs).max()


def test_per_bin_statistics_are_those_of_the_training_clips():
    made = LogMagnitude(SAMPLES).fit(sounds(8, seed) for seed in range(3))
    x = np.concatenate([made.encode(sounds(8, seed)) for seed in range(3)])
    assert (
        np.abs(x.mean(axis=(0, 1))).max() < 0.02 and np.abs(x.std(axis=(0, 1)) - 1 / 3).max() < 0.05
    )
    values = np.random.default_rng(0).normal([1e4, -3], [1, 5], (500, 2))
    moments = RunningMoments()
    for part in np.array_split(values, 7):
        moments.update(part)
    assert np.allclose(moments.mean, values.mean(axis=0)) and np.allclose(
        moments.deviation, values.std(axis=0)
    )


def test_the_top_of_the_band_is_found():
    wide = [sounds(4, 0)]
    spectrum = np.fft.rfft(wide[0])
    spectrum[:, spectrum.shape[1] // 2 :] = 0
    narrow = [np.fft.irfft(spectrum).astype(np.float32)]
    assert MelLogMagnitude(SAMPLES).fit(wide).statistics["top_hz"] == 8000
    assert MelLogMagnitude(SAMPLES).fit(narrow).statistics["top_hz"] == 4000
    assert MelLogMagnitude(SAMPLES, high_hz=5000.0).fit(narrow).statistics["top_hz"] == 5000


def test_the_fixed_range_does_not_depend_on_the_level():
    made, wave = MelLogMagnitude(SAMPLES, high_hz=8000.0), sounds(2, 0)
    assert np.abs(made.encode(wave) - made.encode(0.01 * wave)).max() < 1e-3
    assert np.all(made.encode(np.zeros((1, SAMPLES))) == -1)
    assert np.abs(made.decode(-np.ones((1, *made.shape), np.float32))).max() < 2e-3
