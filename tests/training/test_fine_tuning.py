# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"A training that starts from a model: what it takes over, what it refuses, and how it goes on."

import numpy as np
import pytest
import soundfile as sf

from audiosynth.data.files import InputError
from audiosynth.data.sources import prepare
from audiosynth.gan.trained_model import load_model
from audiosynth.training.runs import Run, model_at
from audiosynth.training.train import train

SAMPLES = 4096
HOW = dict(quiet=True, say=lambda line: None)


def voice(folder, words):
    "A dataset of tones, six recordings a word."
    rng = np.random.default_rng(len(words))
    for k, word in enumerate(words):
        (folder / "from" / word).mkdir(parents=True)
        for i in range(6):
            tone = np.sin(2 * np.pi * 200 * (k + 1) * np.arange(SAMPLES) / 16000)
            wave = 0.3 * tone + rng.normal(0, 0.01, SAMPLES)
            sf.write(folder / "from" / word / f"{i}.wav", wave, 16000)
    return prepare("folder", folder / "data", from_=folder / "from", samples=SAMPLES).folder


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    "A run of two updates on three words."
    folder = tmp_path_factory.mktemp("source")
    small = dict(condition="label", width=2, batch=2, steps=2)
    train("wave", voice(folder, ["one", "two", "three"]), folder / "run", **small, **HOW)
    return folder / "run"


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    "Other words, in another order; one of them is known."
    return voice(tmp_path_factory.mktemp("other"), ["four", "three"])


def test_a_run_begins_with_the_weights_of_its_source_and_resumes_to_the_same_bits(
    source, other, tmp_path
):
    how = dict(start_from=source, save_every=1, **HOW)
    model = load_model(source)
    whole = train(None, other, tmp_path / "whole", steps=2, **how)
    first = model_at(tmp_path / "whole", 0)
    assert whole.metadata["from"]["weights"] == model.hash and whole.metadata["row"] == "wave"
    assert whole.labels == ["four", "three"]
    same = [
        np.array_equal(a, b)
        for a, b in zip(model.generator.get_weights(), first.generator.get_weights())
        if a.shape == b.shape
    ]
    assert all(same) and len(same) == len(model.generator.weights) - 1  # but for the embedding
    sounds = [m.generate(1, seed=3, label="three") for m in (model, first)]
    assert np.allclose(*sounds, atol=1e-6) and np.abs(sounds[0]).max() > 0
    train(None, other, tmp_path / "halves", steps=1, **how)
    for step in (1,):
        Run(tmp_path / "halves").checkpoint(step).unlink()
    assert train(None, other, tmp_path / "halves", steps=2, **how).hash == whole.hash
    with pytest.raises(InputError, match="started from .*, not from digit|makes clips of 16384"):
        train(None, other, tmp_path / "halves", steps=3, start_from="digit", **HOW)


def test_what_does_not_go_together_is_one_line(source, other, tmp_path):
    with pytest.raises(InputError, match="makes clips of 16384 samples at 16000 Hz, and .*4096"):
        train(None, other, tmp_path / "a", steps=1, start_from="digit", **HOW)
    with pytest.raises(InputError, match="is a model of wave, not of stft; leave the row out"):
        train("stft", other, tmp_path / "b", steps=1, start_from=source, **HOW)
    with pytest.raises(InputError, match="nowhere: no such folder"):
        train(None, other, tmp_path / "c", steps=1, start_from="nowhere", **HOW)
    assert not any((tmp_path / name).exists() for name in "abc")
    begun = tmp_path / "begun"
    small = dict(condition="label", width=2, batch=2, steps=1)
    train("wave", other, begun, **small, **HOW)
    with pytest.raises(InputError, match="started from no model; choose another folder"):
        train(None, other, begun, steps=2, start_from=source, **HOW)
