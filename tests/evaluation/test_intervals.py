# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"How often every kind of interval holds the truth, by simulation."

import numpy as np
import pytest
from scipy import stats

from audiosynth.evaluation.bootstrap import bootstrap, mean_of, share_of, wilson
from audiosynth.evaluation.metrics import (
    am_score,
    diversity,
    frechet_distance,
    frechet_limit,
    inception_score,
    jackknife,
    kernel_distance,
    kernels,
    moments,
    neighbours,
    recall_and_coverage_without_each,
)
from audiosynth.evaluation.signal_statistics import earth_mover

TIMES, N = 120, 150  # simulated sets; clips of each


def held(simulate, truth=None):
    "The share of intervals that hold the truth, or, where it is unknown, the mean of all values."
    found = [simulate(np.random.default_rng(seed)) for seed in range(TIMES)]
    truth = np.mean([e.value for e in found]) if truth is None else truth
    return np.mean([e.low <= truth <= e.high for e in found])


def label_scores(statistic):
    def simulate(rng):
        log_p = np.log(rng.dirichlet(np.full(5, 0.3), N) * (1 - 5e-9) + 1e-9)
        return bootstrap(lambda c: statistic(log_p, c), N, times=60, log=True)

    return simulate


REAL = np.random.default_rng(1).normal(size=(300, 4))
MOMENTS = moments(REAL)


def generated(rng):
    return 0.8 * rng.normal(size=(N, 4)) + 0.3


def frechet(rng):
    x = generated(rng)
    return bootstrap(lambda c: frechet_distance(x, MOMENTS, c), N, times=60)


def kernel(rng):
    parts = kernels(generated(rng), REAL)
    return bootstrap(lambda c: kernel_distance(parts, c), N, times=60)


def varied(rng):
    x, label = generated(rng), np.arange(N) % 3
    return bootstrap(lambda c: diversity(x, label, c), N, times=60)


def level(rng):
    x = rng.normal(1, 1, N)
    return bootstrap(lambda c: earth_mover(x, REAL[:, 0], c), N, times=60)


@pytest.mark.parametrize(
    "simulate",
    [
        label_scores(inception_score),
        label_scores(lambda p, c: am_score(p, p, c)),
        frechet,
        kernel,
        varied,
        level,
    ],
    ids=["IS", "AM", "Fréchet", "KID", "diversity", "earth mover"],
)
def test_bootstrap_over_clips(simulate):
    assert 0.88 <= held(simulate) <= 0.995


def test_the_interval_of_a_frechet_distance_leaves_its_bias_out_and_the_limits_does_not():
    rng = np.random.default_rng(0)
    real = moments(rng.normal(size=(4000, 16)))
    truth = frechet_distance(0.9 * rng.normal(size=(200_000, 16)) + 0.2, real)
    values, limits, hits = [], [], []
    for seed in range(60):
        x = 0.9 * np.random.default_rng(seed).normal(size=(N, 16)) + 0.2
        limits.append(frechet_limit(x, real, seed=seed))
        plain = bootstrap(lambda c, x=x: frechet_distance(x, real, c), N, times=40)
        values.append(plain.value)
        half = plain.high - plain.value
        hits.append((plain.low <= truth <= plain.high, abs(limits[-1] - truth) <= half))
    assert np.mean(values) / truth > 1.3 and abs(np.mean(limits) / truth - 1) < 0.1
    plain, limit = np.mean(hits, 0)
    assert plain < 0.5 and limit >= 0.88


@pytest.mark.parametrize("n, m, features", [(150, 300, 4), (100, 200, 12)])
def test_recall_and_coverage_over_generated_clips(n, m, features):
    real, rows = np.random.default_rng(2).normal(size=(m, features)), []
    for seed in range(TIMES):
        x = 0.8 * np.random.default_rng(seed).normal(size=(n, features)) + 0.3
        near, left = neighbours(x, real), recall_and_coverage_without_each(x, real)
        for values, without in zip((near.recalled, near.covered), left):
            old = mean_of(values) if seed < 60 else None  # over real clips, as in 0.1.0
            rows.append((values.mean(), old, jackknife(values.mean(), without)))
    for of_metric in (rows[0::2], rows[1::2]):
        truth = np.mean([value for value, _, _ in of_metric])
        new = np.mean([e.low <= truth <= e.high for _, _, e in of_metric])
        assert 0.92 <= new
    recall = rows[0::2]
    truth = np.mean([value for value, _, _ in recall])
    assert np.mean([e.low <= truth <= e.high for _, e, _ in recall if e]) < 0.9


def test_leaving_each_out_is_computing_without_it():
    rng = np.random.default_rng(3)
    x, real = rng.normal(size=(40, 3)), rng.normal(size=(60, 3))
    x[1] = x[0]  # a copy
    recall, coverage = recall_and_coverage_without_each(x, real)
    by_hand = [neighbours(np.delete(x, j, 0), real) for j in range(40)]
    assert np.allclose(recall, [left.recalled.mean() for left in by_hand])
    assert np.allclose(coverage, [left.covered.mean() for left in by_hand])
    assert jackknife(0.0, np.zeros(50)) == wilson(0, 50) and jackknife(1.0, np.ones(50)).low < 0.95


@pytest.mark.parametrize("truth", [0.005, 0.02, 0.3, 0.9, 0.99])
def test_wilson_over_all_that_can_happen(truth):
    n = 300
    ends = np.array([wilson(k, n) for k in range(n + 1)])
    chance = stats.binom.pmf(np.arange(n + 1), n, truth)
    assert 0.925 < chance @ ((ends[:, 1] <= truth) & (truth <= ends[:, 2])) < 0.985
    assert share_of(np.zeros(20)).high > 0.1 and share_of(np.ones(20)).low < 0.9


def test_pieces_are_drawn_together():
    piece, hits = np.repeat(np.arange(10), 12), np.zeros(2)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=10)[piece] + rng.normal(size=120)
        for i, groups in enumerate((None, piece)):
            found = mean_of(x, groups=groups, seed=seed)
            hits[i] += found.low <= 0 <= found.high
    assert hits[0] / 200 < 0.75 and 0.91 < hits[1] / 200 < 0.99
    assert np.isnan(mean_of(x, groups=np.zeros(120)).low)  # one piece says nothing of others
