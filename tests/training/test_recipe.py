# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Training without a row: what is chosen, clusters in place of labels, and runs that go on."

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips
from audiosynth.gan.clusters import FILE
from audiosynth.gan.trained_model import load_model
from audiosynth.training.recipe import Facts, choose
from audiosynth.training.runs import Run, read_arrays
from audiosynth.training.train import train

SIZE = dict(width=2, batch=2, quiet=True)


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    "The embedded digits without their labels."
    folder = tmp_path_factory.mktemp("data") / "digits"
    shutil.copytree(load_clips("digits").folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | dict(labels=[])))
    index = dict(np.load(folder / "index.npz"))
    np.savez(folder / "index.npz", **index | dict(label=np.full_like(index["label"], -1)))
    return folder


def weights(run, step):
    return read_arrays(Run(run).checkpoint(step))[0]


def test_recordings_without_labels_are_trained_in_clusters(unlabelled, tmp_path):
    before = {path: path.read_bytes() for path in unlabelled.iterdir()}
    said = []
    train(data=unlabelled, out=tmp_path / "run", steps=1, say=said.append, **SIZE)
    assert "7 clusters of similar clips (without labels)" in said[0]
    assert said[1].startswith("1 updates; Ctrl-C")
    assert {path: path.read_bytes() for path in unlabelled.iterdir()} == before
    first = (tmp_path / "run" / FILE).read_bytes()
    train(data=unlabelled, out=tmp_path / "run", steps=2, **SIZE)
    assert (tmp_path / "run" / FILE).read_bytes() == first
    train(data=unlabelled, out=tmp_path / "whole", steps=2, **SIZE)
    one, other = weights(tmp_path / "run", 2), weights(tmp_path / "whole", 2)
    assert one.keys() == other.keys() and any("critic" in name for name in one)


def test_a_run_in_clusters_goes_on_to_the_same_bits_and_generates(unlabelled, tmp_path):
    options = dict(data=unlabelled, **SIZE)
    train(out=tmp_path / "whole", steps=4, save_every=2, **options)
    shutil.copytree(tmp_path / "whole", tmp_path / "halves")
    (tmp_path / "halves" / "checkpoints" / "step-00000004.npz").unlink()
    train(out=tmp_path / "halves", steps=4, save_every=2, **options)
    one, other = (weights(tmp_path / name, 4) for name in ("whole", "halves"))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    model = load_model(tmp_path / "halves")
    assert model.labels == [f"sound {i}" for i in range(1, 8)]
    counts = np.array(model.metadata["label_counts"])
    assert counts.sum() == len(load_clips(unlabelled).where("train"))
    drawn = np.bincount(model.label_numbers(480, None), minlength=7)
    assert np.abs(drawn - counts * 480 / counts.sum()).max() < 2
    assert np.array_equal(model.generate(3, seed=1), model.generate(3, seed=1))
    assert model.generate(2, label="sound 3").shape == (2, model.representation.samples)
    with pytest.raises(InputError, match="label 'one' is unknown to this model"):
        model.generate(1, label="one")


def test_a_run_keeps_its_own_recipe(unlabelled, tmp_path, monkeypatch):
    train("wave", unlabelled, tmp_path / "run", steps=1, **SIZE)
    monkeypatch.setattr("audiosynth.training.train.choose", None)  # would fail if it were called
    model = train(None, unlabelled, tmp_path / "run", steps=2, quiet=True)
    assert (model.metadata["row"], model.metadata["step"]) == ("wave", 2)
    with pytest.raises(InputError, match="made with condition , not cluster"):
        train("wave", unlabelled, tmp_path / "run", steps=3, condition="cluster", **SIZE)


def test_clusters_of_other_clips_are_refused(unlabelled, tmp_path):
    train(data=unlabelled, out=tmp_path / "run", steps=1, **SIZE)
    np.savez(tmp_path / "run" / FILE, label=np.zeros(3, int))
    with pytest.raises(InputError, match=r"has 3 clips, the data \d+; restore it"):
        train(data=unlabelled, out=tmp_path / "run", steps=2, **SIZE)


@pytest.mark.parametrize(
    "facts, condition, why",
    [
        (Facts(16000, 16384, 160, 10), "label", "10 labels"),
        (Facts(16000, 16384, 159, 10), "cluster", "fewer than 16 clips for a label"),
        (Facts(16000, 16384, 128, 0), "cluster", "2 clusters"),
        (Facts(16000, 16384, 127, 0), "none", "127 clips are too few"),
    ],
)
def test_the_condition_follows_the_clips(facts, condition, why):
    recipe = choose(facts)
    assert recipe.changes["condition"] == condition and why in recipe.why


def test_the_length_is_the_users_or_half_an_hour_on_two_cores():
    facts = Facts(16000, 16384, 480, 10)
    assert choose(facts).why.splitlines()[1].startswith("30 minutes on 2 processors if neither")
    assert choose(facts, minutes=2.5).why.splitlines()[1].startswith("2.5 minutes on 2 processors;")
    assert choose(facts, steps=2000).why.splitlines()[1].startswith("2,000 updates;")


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000])
@pytest.mark.parametrize("seconds", [0.25, 0.5, 1, 2, 4])
def test_the_length_that_a_refusal_names_fits(rate, seconds):
    facts = Facts(rate, int(seconds * rate) + 1, 1000)
    with pytest.raises(InputError) as refused:
        choose(facts)
    samples = int(str(refused.value).split()[-1])
    options = choose(Facts(rate, samples, 1000)).changes["options"]
    assert samples % (16 * options["hop"]) == 0 and options["mels"] % 16 == 0


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is an accelerator")
def test_a_row_that_is_too_slow_here_names_the_command_that_is_not(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("audiosynth.training.callbacks.SLOW_S", 0.0)
    train("wave", "digits", tmp_path / "wave", steps=4, width=2, batch=2)
    said = capsys.readouterr().err
    assert said.count("hours without an accelerator") == 1 and "4 updates take about" in said
    assert "audiosynth train --data digits --out NEW_FOLDER" in said
    train("digit", "digits", tmp_path / "digit", steps=3, width=2, batch=2)
    assert "accelerator" not in capsys.readouterr().err
