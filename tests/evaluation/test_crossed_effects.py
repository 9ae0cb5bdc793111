# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Listening tests by simulation: false alarms, coverage of intervals, and power."

import numpy as np
import pytest
from scipy import stats

from audiosynth.evaluation.crossed_effects import (
    OPINIONS,
    RATINGS,
    Spread,
    crossed_mean,
    crossed_share,
    holm,
    mean_variance,
    smallest_difference,
)
from audiosynth.evaluation.listening_analysis import (
    answer_tables,
    compare_pairs,
    simulated_answers,
)

MAKERS = ("real", "one", "two")
QUALITY = 49.5  # where whole numbers and five words have their middle


def key_of(items, mode):
    "The key of a test that asks about the same items of every maker."
    ids = {name: [f"{name}{i}" for i in range(items)] for name in MAKERS}
    alone = [[ids[name][i]] for name in MAKERS for i in range(items)]
    sounds = (
        [[ids[name][i] for name in MAKERS] for i in range(items)] if mode == "rating" else alone
    )
    return {
        "test": "made-up",
        "screens": [{"mode": mode, "sounds": some} for some in sounds],
        "sounds": {s: {"maker": n, "item": i} for n in MAKERS for i, s in enumerate(ids[n])},
    }


@pytest.fixture(scope="module", params=[(12, 8, "rating"), (24, 10, "rating"), (12, 8, "mos")])
def simulated(request):
    "Two hundred tests of three makers that are all the same: [tables], and the true mean."
    listeners, items, mode = request.param
    key = key_of(items, mode)
    same = dict.fromkeys(MAKERS, QUALITY)
    tables = [
        answer_tables(simulated_answers(key, same, listeners=listeners, seed=i), key, mode)
        for i in range(200)
    ]
    return tables, QUALITY if mode == "rating" else 3


def test_false_alarms_and_coverage(simulated):
    tables, truth = simulated
    pairs = [compare_pairs(of_test) for of_test in tables]
    alarms = np.mean([min(pair["holm"] for pair in of_test) < 0.05 for of_test in pairs])
    of_pairs = [pair["low"] <= 0 <= pair["high"] for of_test in pairs for pair in of_test]
    means = [crossed_mean(table)[0] for of_test in tables for _, table in of_test.values()]
    of_means = [e.low <= truth <= e.high for e in means]
    assert alarms <= 0.06
    assert 0.93 <= np.mean(of_pairs) <= 0.97 and 0.93 <= np.mean(of_means) <= 0.98


def test_listeners_means_alone_cry_wolf(simulated):
    "The control: the method of 0.1.0, which this simulator must be able to refute."
    tables, _ = simulated
    found = []
    for of_test in tables:
        means = [table.mean(1) for _, table in of_test.values()]
        p = [stats.ttest_rel(means[i], means[j]).pvalue for i, j in ((0, 1), (0, 2), (1, 2))]
        found.append(min(holm(p)) < 0.05)
    assert np.mean(found) > 0.08


def test_other_items_for_each_maker():
    "Tests of 0.1.0 drew items for each maker: there the items' own quality is in the difference."
    rng, hits = np.random.default_rng(0), []
    for _ in range(300):
        listener = rng.normal(0, 8, (12, 1))
        one, two = (
            listener + rng.normal(0, 7, (1, 6)) + rng.normal(0, 10, (12, 6)) for _ in range(2)
        )
        estimate, p = crossed_mean(one, -two)
        hits.append(estimate.low <= 0 <= estimate.high)
        assert (p < 0.05) == (not hits[-1])
    assert 0.92 < np.mean(hits) < 0.98


def test_one_item_is_students_and_one_listener_nothing():
    x = np.random.default_rng(0).normal(1, 1, (9, 1))
    estimate, p = crossed_mean(x)
    student = stats.ttest_1samp(x[:, 0], 0)
    assert np.isclose(p, student.pvalue)
    assert np.allclose(estimate[1:], student.confidence_interval(0.95))
    assert crossed_mean(x[:1]) == ((x[0, 0], None, None), 1.0)
    assert crossed_mean(np.ones((7, 3)))[1] == 2.0**-6 and crossed_mean(np.zeros((7, 3)))[1] == 1


def test_variance_is_that_of_the_mean():
    "Against the variance of the means of many tables."
    rng = np.random.default_rng(1)
    tables = rng.normal(0, 3, (800, 10, 1)) + rng.normal(0, 4, (800, 1, 8))
    tables = tables + rng.normal(0, 5, (800, 10, 8))
    expected = 9 / 10 + 16 / 8 + 25 / 80
    assert abs(np.mean([mean_variance(t)[0] for t in tables]) / expected - 1) < 0.06
    assert abs(tables.mean((1, 2)).var() / expected - 1) < 0.15


def test_shares():
    rng, alarms, hits = np.random.default_rng(0), 0, 0
    for _ in range(400):
        chance = 0.5 + 0.15 * rng.choice([-1, 1], 10)
        share, p = crossed_share(rng.random((12, 10)) < chance)
        alarms += p < 0.05
        hits += share.low <= 0.5 <= share.high
    assert alarms / 400 <= 0.06 and hits / 400 >= 0.93
    share, p = crossed_share(np.ones((12, 3)))
    assert share.value == share.high == 1 and 0.85 < share.low < 0.95 and p < 1e-6


@pytest.mark.parametrize("listeners", [12, 24])
def test_power_is_what_was_said(listeners):
    size, rng, hits = dict(listeners=listeners, items=10), np.random.default_rng(2), 0
    least = smallest_difference(RATINGS, **size)
    for _ in range(400):
        table = least + rng.normal(0, 5 * 2**0.5, (listeners, 1))
        table = table + rng.normal(0, 5 * 2**0.5, (1, 10))
        table = table + rng.normal(0, 10 * 2**0.5, (listeners, 10))
        hits += crossed_mean(table)[1] < 0.05
    assert 0.74 < hits / 400 < 0.86
    assert smallest_difference(OPINIONS, **size) > least / 20  # five words say less
    assert smallest_difference(RATINGS, **size, pairs=15) > least
    none = Spread(8, 5, 0, 0, 10)  # what all makers share says nothing about a difference
    assert smallest_difference(none, **size) < least
