# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The metrics against closed forms and second implementations, and their intervals."

import itertools

import numpy as np
import pytest
from scipy import linalg, stats

from audiosynth.data.files import InputError
from audiosynth.evaluation.bootstrap import bootstrap, mean_of, weights
from audiosynth.evaluation.metrics import (
    am_score,
    clusters,
    different_bins,
    distances,
    diversity,
    frechet_distance,
    frechet_limit,
    gaussian_distance,
    inception_score,
    kernel_distance,
    kernels,
    modified_inception_score,
    moments,
    nearest,
    neighbours,
)
from audiosynth.evaluation.signal_statistics import (
    SIGNALS,
    earth_mover,
    signal_distances,
    signal_statistics,
)

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(500, 16)), RNG.normal(size=(400, 16)) @ RNG.normal(size=(16, 16)) / 4 + 0.2


def test_label_scores_against_scipy():
    p, q = RNG.dirichlet(np.full(10, 0.3), (2, 60)) * (1 - 1e-9) + 1e-10
    assert np.isclose(
        inception_score(np.log(p)), np.exp(np.mean([stats.entropy(x, p.mean(0)) for x in p]))
    )
    assert np.isclose(
        modified_inception_score(np.log(p)),
        np.exp(np.mean([stats.entropy(x, y) for x in p for y in p])),
    )
    assert np.isclose(
        am_score(np.log(p), np.log(q)),
        stats.entropy(q.mean(0), p.mean(0)) + stats.entropy(p, axis=1).mean(),
    )


def test_label_scores_at_their_ends():
    sure = np.log(np.eye(10)[np.arange(200) % 10] * (1 - 1e-11) + 1e-12)
    assert np.isclose(inception_score(sure), 10, rtol=1e-6) and am_score(sure, sure) < 1e-6
    unsure = np.full((200, 10), -np.log(10))
    assert (
        np.isclose(inception_score(unsure), 1)
        and np.isclose(modified_inception_score(unsure), 1)
        and np.isclose(am_score(unsure, unsure), np.log(10))
    )
    one = sure[np.zeros(200, int)]  # clear, and always the same
    assert np.isclose(inception_score(one), 1) and am_score(one, sure) > 10


@pytest.mark.parametrize("features", [1, 4, 32])
def test_frechet_distance_of_known_gaussians(features):
    s, t, mean = RNG.uniform(0.1, 3, (3, features))
    turn = np.linalg.qr(RNG.normal(size=(features, features)))[0]
    found = gaussian_distance(
        (mean * 0, turn @ np.diag(s**2) @ turn.T), (mean, turn @ np.diag(t**2) @ turn.T)
    )
    assert abs(found / ((mean**2).sum() + ((s - t) ** 2).sum()) - 1) < 1e-6


def test_frechet_distance_by_the_general_root():
    general = ((X.mean(0) - Y.mean(0)) ** 2).sum() + np.trace(
        np.cov(X.T) + np.cov(Y.T) - 2 * linalg.sqrtm(np.cov(X.T) @ np.cov(Y.T)).real
    )
    assert (
        abs(frechet_distance(X, Y) / general - 1) < 1e-6
        and abs(frechet_distance(Y, X) / general - 1) < 1e-6
    )
    assert abs(frechet_distance(X, RNG.permutation(X))) < 1e-9


def test_frechet_distance_of_a_singular_covariance():
    flat = np.concatenate([X, np.zeros((500, 8))], 1)  # features that never fire
    assert abs(frechet_distance(flat, flat)) < 1e-9 and np.isclose(
        frechet_distance(flat + 1, flat), 24
    )


def test_counts_are_repetitions():
    counts = RNG.multinomial(500, np.full(500, 1 / 500))
    repeated, label = np.repeat(X, counts, 0), np.arange(500) % 5
    mean, cov = moments(X, counts)
    assert np.allclose(mean, repeated.mean(0)) and np.allclose(cov, np.cov(repeated.T))
    log_p = np.log(RNG.dirichlet(np.ones(5), 500))
    for score in (inception_score, modified_inception_score):
        assert np.isclose(score(log_p, counts), score(np.repeat(log_p, counts, 0)))
    bins, real = RNG.integers(8, size=(2, 500))
    assert np.isclose(
        different_bins(bins, real, counts), different_bins(np.repeat(bins, counts), real)
    )
    pairs = [(i, j) for i in range(50) for j in range(50) if i != j]
    c = counts[:50]

    def k(u, v):
        return (u @ v / 16 + 1) ** 3

    slow = sum(c[i] * c[j] * k(X[i], X[j]) for i, j in pairs) / sum(c[i] * c[j] for i, j in pairs)
    parts = kernels(X[:50], Y)
    assert np.isclose(
        kernel_distance(parts, c) - parts.real + 2 * (c @ parts.across) / c.sum(), slow
    )
    own = sum(
        c[i] * c[j] * np.linalg.norm(X[i] - X[j]) for i, j in pairs if label[i] == label[j] == 0
    ) / sum(c[i] * c[j] for i, j in pairs if label[i] == label[j] == 0)
    only = label[:50] == 0
    assert np.isclose(diversity(X[:50][only], label[:50][only], c[only]), own)


def test_the_limit_does_not_depend_on_how_many():
    cloud, truth = RNG.normal(size=(6000, 32)), moments(RNG.normal(size=(30_000, 32)))
    limits = [
        np.mean([frechet_limit(cloud[i : i + n] + 0.2, truth, seed=i) for i in range(0, 6000, n)])
        for n in (300, 1000)
    ]
    plain = [
        np.mean([frechet_distance(cloud[i : i + n] + 0.2, truth) for i in range(0, 6000, n)])
        for n in (300, 1000)
    ]
    assert np.allclose(limits, 32 * 0.04, atol=0.12) and plain[0] - plain[1] > 0.5


def test_kernel_distance_by_its_formula_and_without_bias():
    def k(a, b):
        return (a @ b.T / 16 + 1) ** 3

    def off(m):
        return (m.sum() - np.trace(m)) / (len(m) * (len(m) - 1))

    assert np.isclose(
        kernel_distance(kernels(X, Y)), off(k(X, X)) + off(k(Y, Y)) - 2 * k(X, Y).mean()
    )
    assert np.isclose(
        kernel_distance(kernels(RNG.permutation(X), Y)), kernel_distance(kernels(X, Y))
    )
    pairs = [kernel_distance(kernels(*RNG.normal(size=(2, 100, 4)))) for _ in range(100)]
    assert abs(np.mean(pairs)) < 3 * np.std(pairs) / 10


def test_kernel_distance_in_closed_form():
    "The mean over all possible three draws is the distance of the distributions."
    points = np.array([[0.0, 1.0], [2.0, -1.0], [0.5, 3.0]])
    p, q, k = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6]), (points @ points.T / 2 + 1) ** 3
    mean = sum(
        p[list(i)].prod()
        * q[list(j)].prod()
        * kernel_distance(kernels(points[list(i)], points[list(j)]))
        for i in itertools.product(range(3), repeat=3)
        for j in itertools.product(range(3), repeat=3)
    )
    assert np.isclose(mean, (p - q) @ k @ (p - q), rtol=1e-9)
    # Normal distributions, by their moments: 3a² + 3a⁴ + (3a + a³)². Quantiles instead of draws,
    # and what the pairs of a clip with itself would have added.
    n, a = 2000, 0.5
    x = stats.norm.ppf(RNG.permutation((np.arange(n) + 0.5) / n))[:, None]
    found, own, other = (
        kernel_distance(kernels(x, x[::-1] + a)),
        ((x**2 + 1) ** 3).mean(),
        (((x + a) ** 2 + 1) ** 3).mean(),
    )

    def k(m):
        return 1 + 3 * m[0] ** 2 + 3 * m[1] ** 2 + m[2] ** 2

    left_out = (own - k((0, 1, 0)) + other - k((a, 1 + a**2, a**3 + 3 * a))) / (n - 1)
    assert abs((found + left_out) / (3 * a**2 + 3 * a**4 + (3 * a + a**3) ** 2) - 1) < 1e-3


def test_bins():
    points = np.repeat(np.arange(5.0), 100)[:, None] + 0.01 * RNG.normal(size=(500, 1))
    centres = clusters(points, bins=5)
    assert np.allclose(np.sort(centres[:, 0]), np.arange(5), atol=0.02)
    at = distances(points, centres).argmin(1)
    assert (
        different_bins(at, at) == 0
        and different_bins(at[at != at[0]], at) == 0.2
        and different_bins(at[at == at[0]], at) == 1
    )
    assert len(clusters(X[:40], bins=50)) <= 4


@pytest.mark.parametrize("judged", [80, 300])
def test_no_bin_may_stay_empty_by_chance(judged):
    centres = clusters(X, judged=judged)
    real = distances(X, centres).argmin(1)
    one_sound = [different_bins(np.full(judged, b), real) for b in range(len(centres))]
    assert one_sound == [1] * len(centres) and 5 < len(centres) < 50
    least = np.bincount(real).min() / len(X)
    assert (
        least > 1.96**2 / judged and least - 0.02 < 1.96**2 / judged + 0.02
    )  # no larger than need be


def test_five_hundred_clips_are_enough():
    "Intervals of 500 clips contain the values of 20,000, and are as wide as the values differ."
    rng = np.random.default_rng(1)
    many, real = rng.normal(size=(20_000, 8)) * 1.3 + 0.3, rng.normal(size=(2000, 8))
    truth, seen = moments(real), real[:500]
    whole = {
        "frechet": frechet_limit(many, truth, seed=0),
        "kernel": float(
            np.mean(
                [kernel_distance(kernels(many[i : i + 500], seen)) for i in range(0, 20_000, 500)]
            )
        ),
    }
    found = {"frechet": [], "kernel": []}
    for i in range(0, 20_000, 500):
        x, parts = many[i : i + 500], kernels(many[i : i + 500], seen)
        estimates = {
            "frechet": bootstrap(
                lambda c, x=x: frechet_distance(x, truth, c), 500, times=100, seed=i
            ),
            "kernel": bootstrap(
                lambda c, parts=parts: kernel_distance(parts, c), 500, times=100, seed=i
            ),
        }
        half = {name: e.high - e.value for name, e in estimates.items()}
        found["frechet"].append((frechet_limit(x, truth, seed=i), half["frechet"]))
        found["kernel"].append((estimates["kernel"].value, half["kernel"]))
    for name, pairs in found.items():
        value, half = np.array(pairs).T
        assert np.mean(np.abs(value - whole[name]) <= half) > 0.8, name
        assert 0.7 < half.mean() / (2 * value.std()) < 1.5 and half.mean() < 0.25 * whole[name], (
            name
        )


def test_neighbours_by_hand():
    real, found = np.arange(10.0)[:, None], np.array([[0.0], [4.5], [100.0]])
    who = neighbours(found, real, k=1)
    assert who.precise.tolist() == [1, 1, 0] and who.dense.tolist() == [2, 2, 0]
    assert who.covered.tolist() == [1, 1, 0, 0, 1, 1, 0, 0, 0, 0]
    one, two = X[:300, :2] / 3, Y[:200, :2] / 3 + 0.5  # neither lives only where the other does
    assert (
        np.array_equal(neighbours(one, two).recalled, neighbours(two, one).precise)
        and 0.2 < neighbours(one, two).recalled.mean() < 0.999
    )
    same = neighbours(RNG.normal(size=(1500, 4)), RNG.normal(size=(1500, 4)))
    assert (
        abs(same.dense.mean() - 1) < 0.05
        and same.covered.mean() > 0.94
        and same.precise.mean() > 0.9
    )


def test_copies_and_variety():
    assert (nearest(np.concatenate([X[:3], X[:3] + 9]), X, rows=2) < 1e-6).tolist() == [
        True
    ] * 3 + [False] * 3
    label = np.arange(500) % 2
    assert diversity(X[:, :1] * 0 + label[:, None], label) == 0 and np.isnan(
        diversity(X[:2], np.arange(2))
    )
    assert np.isclose(diversity(3 * X, label), 3 * diversity(X, label))


def test_intervals_hold_the_truth():
    hits = [
        (e := bootstrap(lambda c, x=x: c @ x / c.sum(), 100, times=50, seed=1)).low <= 0 <= e.high
        for x in RNG.normal(size=(300, 100))
    ]
    assert 0.9 < np.mean(hits) < 0.985


def test_weights_and_means():
    assert np.allclose(weights(None, 4), 0.25) and np.allclose(weights([2, 0, 2], 3), [0.5, 0, 0.5])
    x = RNG.normal(size=200)
    found = mean_of(np.r_[x, np.nan], seed=3)
    assert np.isclose(found.value, x.mean()) and found == mean_of(x, seed=3)
    assert found.low < found.value < found.high
    with pytest.raises(InputError, match="1 clips that say anything"):
        mean_of([1.0, np.nan])


def test_signals():
    t = np.arange(16384) / 16000
    waves = np.stack([np.sin(2 * np.pi * 2000 * t), 0.1 * RNG.normal(size=16384), np.zeros(16384)])
    found = signal_statistics(waves, rate=16000)
    assert (
        np.allclose(found["level"], [-3.01, -20, -100], atol=0.2)
        and abs(found["crest"][0] - 3.01) < 0.05
    )
    assert (
        np.allclose(found["centroid"][:2], [2000, 4000], atol=60)
        and found["flatness"][0] < -60
        and found["flatness"][1] > -1
    )
    assert all(np.isfinite(v).all() for v in found.values())
    x, y = RNG.normal(size=300), RNG.gamma(2, size=200)
    assert (
        np.isclose(earth_mover(x, y), stats.wasserstein_distance(x, y))
        and earth_mover(x, x[::-1]) == 0
    )
    many = {name: RNG.normal(size=100) for name in SIGNALS}
    assert all(
        abs(e.value - 6) < 1e-9
        for e in signal_distances({k: v + 6 for k, v in many.items()}, many).values()
    )
