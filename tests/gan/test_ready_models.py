# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The models that come with the package: their names, their 16 bits, their cards."

import re
import shutil

import numpy as np
import pytest

from audiosynth import cli
from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips
from audiosynth.gan.trained_model import READY, load_model, read_card, ready_models, thin

FACTS = ("does", "trained on", "licence", "size", "row", "machine time", "command", "weights")


def test_digit_is_there():
    assert "digit" in ready_models()


@pytest.mark.parametrize("name", ready_models())
def test_a_ready_model_has_a_card_that_is_its_own(name):
    card, model = read_card(READY / name), load_model(name)
    assert all(card[fact] for fact in FACTS)
    files = [path for path in (READY / name).iterdir() if path.suffix != ".md"]
    size = sum(path.stat().st_size for path in files)
    assert card["size"] == f"{size / 1e6:.2f} MB" and size <= 3e6
    assert card["weights"] == model.hash
    figures = [re.fullmatch(r"(-?[\d.]+) \((-?[\d.]+)–(-?[\d.]+)\)", v) for v in card.values()]
    figures = [[float(number) for number in f.groups()] for f in figures if f]
    assert len(figures) > 8 and all(low <= value <= high for value, low, high in figures)
    assert model.metadata["row"] in card["row"] and f"{model.metadata['step']:,} upd" in card["row"]


@pytest.mark.parametrize("name", ready_models())
def test_its_weights_are_of_16_bits(name):
    for weight in load_model(name).generator.get_weights():
        assert np.array_equal(weight, weight.astype("float16").astype("float32"))


def test_a_name_gives_the_same_waves_for_the_same_seed():
    one, two = load_model("digit"), load_model(READY / "digit")
    waves = one.generate(2, seed=3, label="seven")
    assert np.array_equal(waves, two.generate(2, seed=3, label="seven"))
    assert np.abs(waves - two.generate(2, seed=4, label="seven")).max() > 0.1


def test_a_folder_of_the_same_name_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digit").mkdir()
    with pytest.raises(InputError, match="no trained model here"):
        load_model("digit")
    shutil.copytree(READY / "digit", tmp_path / "digit", dirs_exist_ok=True)
    path = tmp_path / "digit" / "model.json"
    path.write_text(path.read_text().replace('"step": 6000', '"step": 5999'))
    assert load_model("digit").metadata["step"] == 5999


def test_an_unknown_name_is_one_line_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'digit'") as error:
        load_model("digt")
    assert "\n" not in str(error.value)


def test_a_model_and_a_dataset_never_meet():
    with pytest.raises(InputError, match="dataset 'digit' is unknown"):
        load_clips("digit")
    with pytest.raises(InputError, match="ready model 'digits' is unknown"):
        load_model("digits")


def test_thin_rounds_and_packs(tmp_path):
    folder = tmp_path / "model"
    model = load_model("digit")
    weights = [w * np.float32(1.0001) for w in model.generator.get_weights()]
    model.generator.set_weights(weights)
    model.save(folder)
    before = (folder / "generator.keras").stat().st_size
    thin(folder)
    assert (folder / "generator.keras").stat().st_size < 0.65 * before
    for was, now in zip(weights, load_model(folder).generator.get_weights()):
        assert np.allclose(was, now, rtol=2**-11, atol=2**-25)


def test_models_lists_them_and_generate_takes_a_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cli.main(["models"])
    said = capsys.readouterr().out
    assert all(f"{name}: {read_card(READY / name)['does']}" in said for name in ready_models())
    assert read_card(READY / "digit")["label accuracy"] in said and "Apache-2.0" in said
    cli.main("generate digit --label seven --n 2 --out sounds".split())
    assert len(list((tmp_path / "sounds").glob("*-seven.wav"))) == 2
    cli.main(["generate", "digit", "--n", "1"])
    assert (tmp_path / "generated" / "index.html").exists()  # not in the package, not in `digit`
