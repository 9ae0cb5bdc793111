# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The latents of `generate`, interpolation between them, favourites that come back."

import os
import subprocess
import sys

import numpy as np
import pytest

from audiosynth.data.files import InputError
from audiosynth.gan.trained_model import load_model
from audiosynth.generation.latents import (
    LatentExplorer,
    add_favourite,
    favourites,
    first_layer_weights,
    generate_from_latents,
    interpolate_latents,
    move_latent,
    principal_directions,
    recall,
    sample_latents,
)
from audiosynth.training.train import train


@pytest.fixture(scope="module", params=["digit", "wave"])
def folder(request, tmp_path_factory):
    "A run of two updates, with labels and without."
    path = tmp_path_factory.mktemp("latents") / request.param
    train(request.param, "digits", path, steps=2, width=2, batch=2, quiet=True)
    return path


@pytest.fixture(scope="module")
def model(folder):
    return load_model(folder)


def test_the_same_latents_give_the_same_sounds(model):
    assert np.array_equal(
        generate_from_latents(model, sample_latents(model, 34, seed=3), seed=3),
        model.generate(34, seed=3),
    )  # more than one batch
    assert generate_from_latents(model, sample_latents(model, 0)).shape == (0, 2**14)
    if model.labels:
        assert np.array_equal(
            generate_from_latents(model, sample_latents(model, 2), "seven"),
            model.generate(2, label="seven"),
        )


def test_wrong_latents_and_labels_are_refused(model):
    for z in (np.zeros(64), np.zeros((2, 63))):
        with pytest.raises(InputError, match="64"):
            generate_from_latents(model, z)
    with pytest.raises(InputError, match="label"):
        generate_from_latents(model, np.zeros((1, 64)), "seve")


def test_favourites_come_back(model, tmp_path):
    assert favourites(tmp_path) == []
    add_favourite(tmp_path, seed=3, index=33, name="late")
    add_favourite(tmp_path, seed=3, index=1, turns=[1, 0, -1])
    late, moved = favourites(tmp_path)
    waves = model.generate(34, seed=3)
    assert np.allclose(recall(model, late), waves[33], atol=1e-3) and not np.allclose(
        waves[33], waves[32], atol=1e-3
    )
    assert not np.allclose(recall(model, moved), waves[1], atol=1e-6)
    for bad in ("{", "{}", '[{"seed": "a"}]'):
        (tmp_path / "favourites.json").write_text(bad)
        with pytest.raises(InputError, match="favourites.json"):
            favourites(tmp_path)
    with pytest.raises(InputError, match="negative"):
        add_favourite(tmp_path / "new.json", seed=-1, index=0)


def test_the_explorer(model, tmp_path):
    panel = LatentExplorer(model, tmp_path / "mine.json")
    first = panel.wave
    panel.index.value = 1
    panel.turns[1].value = -2.0
    panel.keep.click()
    (kept,) = favourites(tmp_path / "mine.json")
    assert (
        kept["index"] == 1
        and kept["turns"] == [0, -2, 0]
        and np.array_equal(recall(model, kept), panel.wave)
    )
    assert not np.array_equal(first, panel.wave) and "audio/mpeg" in panel.player.value


def test_knobs(model):
    directions, weights = principal_directions(model, 64), first_layer_weights(model)
    assert np.allclose(directions @ directions.T, np.eye(64), atol=1e-4)
    strength = np.linalg.norm(directions @ weights, axis=1)
    assert (np.diff(strength) < 1e-5).all() and strength[0] > 1.1 * strength[-1]
    z = sample_latents(model, 1)[0]
    assert (
        np.array_equal(move_latent(z, directions, [0, 0]), z)
        and np.abs(move_latent(z, directions, [9])).max() <= 1
    )


def test_a_path_stays_where_latents_are_drawn():
    rng = np.random.default_rng(0)
    pairs = rng.uniform(-1, 1, (500, 2, 64))
    paths = np.array([interpolate_latents(a, b, 5) for a, b in pairs])
    assert paths.shape == (500, 5, 64) and np.allclose(paths[:, [0, -1]], pairs, atol=1e-5)
    for t in (1, 2, 3):
        assert (
            np.abs(np.sort(paths[:, t].ravel()) - np.linspace(-1, 1, 32000)).max() < 0.03
        )  # uniform
    opposite = interpolate_latents(pairs[0, 0], -pairs[0, 0], 3)
    assert (
        np.isfinite(opposite).all()
        and np.isfinite(interpolate_latents(np.ones(64), -np.ones(64))).all()
    )


def test_a_folder_opened_elsewhere_gives_the_same_clips(folder, model, tmp_path):
    "Another process, another number of threads, the folder moved."
    (folder / "model").rename(tmp_path / "moved")
    waves = tmp_path / "waves.npy"
    code = (
        "import numpy as np; from audiosynth.gan.trained_model import load_model; "
        f"model = load_model({str(tmp_path / 'moved')!r}); "
        f"np.save({str(waves)!r}, model.generate(4, seed=7))"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        timeout=300,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"},
    )
    (tmp_path / "moved").rename(folder / "model")
    assert np.allclose(np.load(waves), model.generate(4, seed=7), atol=1e-3)
