# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Outlier exposure at other rates and sizes, and a recogniser that is not installed."

import numpy as np
import pytest

from audiosynth.data.clips_writer import ClipsWriter
from audiosynth.data.extras import MissingExtra
from audiosynth.data.sources import EMBEDDED, load_clips
from audiosynth.evaluation import classifier as chapter
from audiosynth.evaluation import recogniser
from audiosynth.evaluation.classifier import train_classifier
from audiosynth.evaluation.outlier_exposure import coded_clips, damaged, exposed, outliers


@pytest.mark.parametrize(
    "rate, samples", [(8000, 8192), (11025, 9000), (22050, 16384), (48000, 5000)]
)
def test_clips_of_any_rate_are_coded(rate, samples):
    rng = np.random.default_rng(0)
    tone = np.sin(2 * np.pi * 440 * np.arange(samples) / rate) * np.hanning(samples)
    waves = np.float32([0.5 * tone, 0.1 * tone, 0 * tone])
    rows, coded, doubt = coded_clips(waves, rate=rate, rng=rng)
    assert coded.shape == waves.shape and np.isfinite(coded).all() and sorted(rows) == [0, 1, 2]
    assert doubt.shape == (3,) and 0 <= doubt.min() and doubt.max() <= 1
    for row, wave in zip(rows, coded):
        if row < 2 and doubt[list(rows).index(row)] == 0:  # the tone is still there
            spectrum = np.abs(np.fft.rfft(wave))
            assert abs(spectrum.argmax() * rate / samples - 440) < 2 * rate / samples


@pytest.mark.parametrize("n", [1, 3, 8])
def test_few_words_make_a_batch(n):
    rng = np.random.default_rng(n)
    x = np.float32(rng.uniform(-1, 1, (n, 16, 8)))
    assert outliers(x, x, rng).shape == x.shape and damaged(x, rng)[0].shape == x.shape
    how = dict(outputs=2, progress=1, rng=rng)
    batch, wanted = exposed(x, np.zeros(n, int), np.zeros(n), x, **how)
    assert len(batch) == len(wanted) == n + 3 * n // 8 and np.allclose(wanted.sum(1), 1)


def test_silence_and_full_scale_stay_in_range():
    rng = np.random.default_rng(0)
    for value in (-1, 1):
        x = np.full((40, 16, 8), value, "float32")
        for found in (damaged(x, rng)[0], outliers(x, x, rng)):
            assert np.isfinite(found).all() and np.abs(found).max() <= 1


def test_the_same_seed_the_same_classifier(tmp_path):
    rng = np.random.default_rng(0)
    about = dict(rate=8000, samples=4096, source="x", licence="CC0", labels=["low", "high"])
    with ClipsWriter(tmp_path / "tones", **about) as writer:
        for k in range(24):
            hz = (300, 900)[k % 2] * rng.uniform(0.9, 1.1)
            tone = 9000 * np.sin(2 * np.pi * hz * np.arange(4096) / 8000) * np.hanning(4096)
            row = dict(label=("low", "high")[k % 2], group=str(k))
            row["split"] = 0 if k < 16 else 1 + k // 2 % 2  # training, validation, test
            writer.add(tone.astype("int16"), **row)
    clips = load_clips(tmp_path / "tones")
    one, two = (train_classifier(clips, updates=120) for _ in range(2))
    assert one.hash == two.hash and one.metadata["accuracy"] == 1


def test_a_recogniser_that_is_missing_knows_no_word(monkeypatch):
    def missing(name):
        raise MissingExtra(f"{name} is not installed")

    monkeypatch.setattr(recogniser, "required", missing)
    recogniser.decoder.cache_clear()
    try:
        assert recogniser.decoder() is None and recogniser.vocabulary(["one", "two"]) == {}
    finally:
        recogniser.decoder.cache_clear()


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_clips_bring_their_classifier(name, monkeypatch):
    "The one of the present clips and recipe: where it is missing, run tools/make_judges.py."
    monkeypatch.setattr(chapter, "train_classifier", lambda *a, **k: pytest.fail("trained"))
    found = chapter.classifier_for(load_clips(name))
    assert found.metadata["data"] == name and found.metadata["tested"] > 40
    assert name == "piano" or found.metadata["accuracy"] > 0.95
