# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""A model folder written by version 0.1.0 (width 2, two updates) loads and says what it said."""

from pathlib import Path

import numpy as np

from audiosynth.gan.rows import ROWS, Row
from audiosynth.gan.trained_model import load_model
from audiosynth.training.runs import row_in

FOLDER = Path(__file__).parent / "models_0_1_0"


def test_a_model_of_version_0_1_0_says_the_same():
    with np.load(FOLDER / "digit.npz") as file:
        before = file["waves"].astype("float32")
    model = load_model(FOLDER / "digit")
    assert np.abs(model.generate(3, seed=1) - before).max() < 1e-3
    assert np.abs(model.generate(3, seed=2) - before).max() > 0.1  # what another seed says


def test_its_row_is_read_in_todays_fields():
    row = row_in(load_model(FOLDER / "digit").metadata)
    assert (
        isinstance(row, Row) and row.labels and row.objective == "r1" and row.network == "compact"
    )
    same = ("representation", "ema_decay", "learning_rate", "learning_rate_decay", "beta_2")
    assert all(getattr(row, name) == getattr(ROWS["digit"], name) for name in same)
    assert tuple(row.augmentation) == (8, 2)  # 64 × 64 spectrograms then
