# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The study's distance, its folder, and what it refuses; its chapter trains and resumes."

import csv

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips
from audiosynth.evaluation import study as study_module
from audiosynth.evaluation.study import (
    COLUMNS,
    HeldOutDistance,
    features,
    frechet_distance,
    measure_trained,
    read_study,
    study,
    write_study,
)


def test_in_one_dimension_the_distance_is_wassersteins():
    "Between Gaussians (μ₁ − μ₂)² + (σ₁ − σ₂)²; for equal shapes SciPy's distance, squared."
    x = np.random.default_rng(0).normal(size=4000)

    def far(a, b):
        return frechet_distance(np.stack([a, 0 * a], 1), np.stack([b, 0 * b], 1))

    assert np.isclose(far(x, 3 * x + 2), (2 + 2 * x.mean()) ** 2 + (2 * x.std(ddof=1)) ** 2)
    assert np.isclose(far(x, x + 1.5), wasserstein_distance(x, x + 1.5) ** 2)


def test_the_distance_of_other_sounds_is_greater():
    clips = load_clips("digits")
    held_out = HeldOutDistance(clips, n=128)
    near = held_out.distance(held_out.some)
    rng = np.random.default_rng(0)
    assert (
        near < 1 and held_out.distance(held_out.some[:, ::-1]) < 2
    )  # it ignores order, as the chapter says
    for other in (
        held_out.some / 4,
        held_out.some[:1].repeat(128, 0) * rng.uniform(0.9, 1, (128, 1)),
        rng.normal(0, 0.1, held_out.some.shape),
        held_out.some + rng.normal(0, 0.02, held_out.some.shape),
    ):
        assert held_out.distance(other) > 5 * near
    assert len(held_out.held_out) == 160 and features(held_out.some[:2]).shape == (2, 40)


class Done:
    metadata, ms = {"step": 50}, (200.0, 300.0)


@pytest.mark.parametrize(
    "after, below, learns", [(69.9, 0.301, True), (70.1, 0.299, False), (150.0, -0.5, False)]
)
def test_a_row_learns_from_thirty_per_cent_on(after, below, learns, monkeypatch, tmp_path):
    held_out = type("J", (), {"generated": lambda self, model: after})()
    known = measure_trained(
        {"published": "x", "game": "r1", "before": 100.0, "coded": 20.0, "steps": 50},
        Done,
        held_out,
        Done,
    )
    assert (
        np.isclose(known["below"], below)
        and known["learns"] == learns
        and np.isclose(known["share"], (100 - after) / 80)
        and known["cpu_s"] == 10
    )
    write_study(
        tmp_path, {"format": 1, "asked": {}, "rows": {"wave": known, "stft": {"before": 1.0}}}
    )
    with open(tmp_path / "study.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert (
        [row["row"] for row in table] == ["wave"]
        and [*table[0]] == ["row", *COLUMNS]
        and float(table[0]["after"]) == after
    )
    assert read_study(tmp_path)["rows"].keys() == {"wave", "stft"}


def test_what_is_no_study_is_refused(tmp_path):
    with pytest.raises(InputError, match="either steps or cpu_minutes"):
        study(tmp_path / "a")
    with pytest.raises(InputError, match="either steps or cpu_minutes"):
        study(tmp_path / "a", steps=1, cpu_minutes=1)
    with pytest.raises(InputError, match="steps: must be more than 0"):
        study(tmp_path / "a", steps=0)
    with pytest.raises(InputError, match="did you mean 'wave'"):
        study(tmp_path / "a", steps=1, rows=["wav"])
    assert not (tmp_path / "a").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    with pytest.raises(InputError, match="holds no study"):
        study(tmp_path / "mine", steps=1)
    (tmp_path / "mine" / "study.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        study(tmp_path / "mine", steps=1)
    (tmp_path / "mine" / "study.json").write_text(
        '{"format": 1, "asked": {"steps": 2}, "rows": {}}'
    )
    with pytest.raises(InputError, match="made with steps 2, not 1"):
        study(tmp_path / "mine", steps=1)


def test_a_study_goes_on_at_the_row_it_was_stopped_in(tmp_path, monkeypatch):
    "Which rows are trained, and how long; training itself is tested elsewhere."
    seen = []
    monkeypatch.setattr(
        study_module,
        "measure_untrained",
        lambda experiment, *args, steps, **options: {
            "published": "",
            "game": experiment.row.objective,
            "before": 10.0,
            "coded": 1.0,
            "steps": steps + len(seen),
        },
    )

    def train(row, *args, steps, **options):
        seen.append((row, steps))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return Done

    monkeypatch.setattr(study_module, "train", train)
    monkeypatch.setattr(study_module.HeldOutDistance, "generated", lambda self, model: 5.0)
    options = dict(rows=["wave", "stft", "digit"], steps=7, n=2, say=lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "s", **options)
    figures = study(tmp_path / "s", **options)
    assert [row for row, _ in seen] == ["wave", "stft", "stft", "digit"] and seen[1] == seen[
        2
    ]  # as long as was fixed before
    assert [*figures] == options["rows"] and all(f["learns"] for f in figures.values())
