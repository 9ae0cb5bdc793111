# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"A model that follows its condition is far above its controls; one that is deaf to it is not."

import numpy as np
import pytest

from audiosynth.data.sources import load_clips
from audiosynth.evaluation import conditional_scores as chapter
from audiosynth.evaluation.conditional_scores import (
    condition_rows,
    conditional_scores,
    with_controls,
)


@pytest.fixture(scope="module")
def clips():
    return load_clips("piano")


class Perfect:
    "Answers each condition of the test split with the real clip."

    def __init__(self, condition, clips):
        self.condition, rows = condition, clips.where("test")
        self.conditions = (clips.histories if condition == "midi" else clips.pasts)(rows)
        self.real = clips.waves(rows)

    def generate(self, n, *, conditions, seed):
        known = self.conditions.reshape(len(self.real), -1)
        return self.real[[(known == c.ravel()).all(1).argmax() for c in conditions]]


class Deaf(Perfect):
    "The same sounds whatever it is given."

    def generate(self, n, *, conditions, seed):
        return np.random.default_rng(0).permutation(self.real)[np.arange(n) % len(self.real)]


@pytest.mark.parametrize("condition, score", [("midi", "note_frames"), ("previous", "past")])
def test_scores_stand_beside_those_of_three_untrained_networks(
    clips, monkeypatch, condition, score
):
    seeds = []
    monkeypatch.setattr(
        chapter, "untrained_model", lambda model, s: seeds.append(s) or Deaf(condition, clips)
    )
    found = with_controls(Perfect(condition, clips), clips)
    assert seeds == [0, 1, 2]
    assert found[score].low > found[f"{score}_untrained"].value + 0.1
    if condition == "previous":
        assert found["past_untrained"].value == 0.5  # each comparison is a tie
    else:
        assert abs(found["note_frames_untrained"].value) < 0.1
        assert found["note_frames"] == conditional_scores([], clips)["note_frames"]


def test_only_clips_with_a_condition_are_asked_for(clips):
    rows, pieces = condition_rows(clips, "previous")
    assert (clips.previous[rows] >= 0).all() and pieces is None  # one piece only
    digits = load_clips("digits")
    assert len(condition_rows(digits, "previous")[0]) == 0
