# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Planted copies are found, new clips are not, and near-copies in the training set are owned up to."

import numpy as np
import pytest

from audiosynth.evaluation.copies import (
    CopyDetector,
    copy_power,
    correlations,
    pictures,
    planted,
    standardised,
    tells_copies,
)

RATE, SAMPLES = 8000, 6000


def glides(n, seed):
    "Clips of three gliding tones each."
    rng, t = np.random.default_rng(seed), np.arange(SAMPLES) / RATE
    waves = np.zeros((n, SAMPLES), "float32")
    for wave in waves:
        for start in rng.uniform(0, 0.4, 3):
            hz, slope = rng.uniform(200, 3000), rng.uniform(-1500, 1500)
            shape = np.exp(-(((t - start - 0.15) / rng.uniform(0.03, 0.15)) ** 2))
            wave += 0.2 * shape * np.sin(2 * np.pi * (hz * t + slope / 2 * (t - start) ** 2))
    return waves


@pytest.fixture(scope="module")
def train():
    return glides(120, 0)


@pytest.fixture(scope="module")
def detector(train):
    return CopyDetector(train, np.arange(len(train)), rate=RATE)


def test_copies_of_every_kind_are_found_and_new_clips_are_not(train, detector):
    for kind, waves in planted(train[20:40], rate=RATE).items():
        nearest, ratio = detector.ratios(waves)
        assert (nearest == np.arange(20, 40)).mean() > 0.9, kind
        assert np.median(ratio) < 0.6, kind
    assert np.median(detector.ratios(glides(30, 1))[1]) > 0.7


def test_the_power_is_measured_on_clips_that_the_threshold_has_not_seen(train, detector):
    power = copy_power(detector, train[:40], glides(120, 1))
    assert tells_copies(power.power.value, power.alarms.value)
    assert power.alarms.value < 0.06 and power.found[power.worst] == power.power
    blind = copy_power(detector, glides(40, 2), glides(120, 1))
    assert blind.found["coded"].value < 0.1  # nothing is found where nothing was copied


def test_near_copies_among_the_training_clips_take_the_power(train):
    twice = np.concatenate([train, train + 0.003 * glides(120, 3)])
    detector = CopyDetector(twice, np.arange(len(twice)), rate=RATE)
    power = copy_power(detector, train[:40], glides(120, 1))
    assert not tells_copies(power.power.value, power.alarms.value)
    recording = np.tile(np.arange(120), 2)  # known to be of one recording, they do not count
    same = CopyDetector(twice, recording, rate=RATE)
    assert copy_power(same, train[:40], glides(120, 1)).power.value > 0.9


def test_shifts_and_level_do_not_count(train):
    one, two = pictures(np.stack([train[0], train[0] / 7]), RATE, 128)
    assert np.allclose(one, two, atol=1e-3)
    other = standardised(pictures(train[:5], RATE, 128).reshape(5, -1))
    found = correlations(one, other)
    assert found.shape == (17 * 5, 5) and np.isclose(found[:, 0].max(), 1, atol=1e-4)
    assert found.max() <= 1 + 1e-4 and (found[:, 1:].max(0) < 0.99).all()
    silent = correlations(np.zeros_like(one), other)
    assert np.isfinite(silent).all() and np.abs(silent).max() < 1e-3
