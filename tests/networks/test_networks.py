# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Every layer shape of every network against float64: oneDNN has been wrong by 2e-2 for one.

And the names of layers in files of 0.1.0.
"""

import json
import zipfile

import keras
import numpy as np
import pytest
from float64 import gradients_equal_float64, name_of

from audiosynth.data.sources import load_clips
from audiosynth.gan.experiment import Experiment, fit_representation
from audiosynth.gan.rows import ROWS
from audiosynth.networks.registry import NAMES_OF_0_1_0, critic, generator

SPECTROGRAM = (128, 256, 1)
PAPER = {
    "wave": (2**14, 1),
    "log_mag": SPECTROGRAM,
    "mag_phase": (128, 256, 2),
    "mag_if": (128, 256, 2),
    "stft": (128, 256, 2),
    "stft_mag": (128, 256, 2),
    "stft_wave": (128, 256, 2),
    "wave_mag": (2**14, 1),
    "wave_rwd": (2**14, 1),
    "mel_log_mag": (128, 128, 1),
    "mel_stft": (128, 256, 2),
    "mdct": (128, 128, 1),
    "digit": (128, 32, 2),
}


class WithNotes(Experiment):
    states = 512  # of clips with notes, which the digits have not


def networks(row):
    "The generator and the critics at the row's own width, without weights: they would take 2 GB."
    experiment = WithNotes("", row, load_clips("digits")).fit()
    with keras.StatelessScope(initialize_variables=False):
        made, critics = experiment.networks()
    return [made, *(critic.network for critic in critics)]


def shapes(experiments):
    "Each convolution or dense layer at the row's own width, once: kind, settings, weights' shapes."
    found = {}
    for experiment in experiments:
        for network in networks(experiment):
            for layer in network.layers:
                if not layer.weights or isinstance(layer, keras.layers.Embedding):
                    continue
                key = (
                    type(layer).__name__,
                    tuple(layer.input.shape[1:]),
                    tuple(layer.output.shape[1:]),
                    (*getattr(layer, "kernel_size", ()), *getattr(layer, "dilation_rate", ())),
                )
                found.setdefault(
                    key, (type(layer), layer.get_config(), [tuple(w.shape) for w in layer.weights])
                )
    return found


LAYERS = shapes(
    ROWS[row] for row in ("wave", "log_mag", "stft", "wave_rwd", "mel_log_mag", "digit")
)  # the others are made of the same networks


@pytest.mark.parametrize("key", LAYERS, ids=name_of)
def test_gradients_of_a_layer_equal_float64(key):
    gradients_equal_float64(key, LAYERS[key])


@pytest.mark.parametrize("row", ROWS)
def test_the_representation_has_the_shape_of_the_paper(row):
    clips = load_clips("digits")
    representation = fit_representation(ROWS[row], clips)
    assert representation.shape == PAPER[row]
    x = representation.encode(clips.waves(clips.where("test")[:4])).numpy()
    assert x.shape == (4, *PAPER[row]) and np.isfinite(x).all() and np.abs(x).max() <= 1


def test_the_critic_reacts_to_the_last_samples():
    c = critic((2**14, 1), network="wavegan", width=4)
    x = np.random.default_rng(0).normal(size=(2, 2**14, 1)).astype("float32")
    x[1], x[1, -100:] = x[0], 0
    scores = c([x]).numpy()
    assert abs(float(scores[0, 0] - scores[1, 0])) > 1e-6


def rewritten(path, new, replace):
    "A copy of a Keras file with strings of its configuration replaced."
    with zipfile.ZipFile(path) as file, zipfile.ZipFile(new, "w") as copy:
        for name in file.namelist():
            content = file.read(name)
            if name == "config.json":
                text = content.decode()
                for old, now in replace.items():
                    text = text.replace(old, now)
                content = text.encode()
            copy.writestr(name, content)


def registered_names(path):
    "The registered names in a Keras file."
    with zipfile.ZipFile(path) as file:
        layers = json.loads(file.read("config.json"))["config"]["layers"]
    return {layer["registered_name"] for layer in layers if layer["registered_name"]}


OLD_NAMES = {kind.__name__: old for old, kind in NAMES_OF_0_1_0.items()}
MADE = {"generator": (generator, "DepthToSpace"), "critic": (critic, "SpaceToDepth")}


@pytest.mark.own_process
@pytest.mark.parametrize("which", MADE)
def test_a_saved_network_with_the_layer_names_of_0_1_0_loads(which, tmp_path):
    "In 0.1.0 the modules were flat, and four layers had other names."
    make, name = MADE[which]
    model = make((32, 32, 1), network="compact", width=2, condition_shape=(16, 32, 1))
    model.save(tmp_path / "new.keras")
    assert {"audiosynth>ReverseAndPad", f"audiosynth>{name}"} <= registered_names(
        tmp_path / "new.keras"
    )
    flat = {
        f'"audiosynth.networks.{module}"': '"audiosynth.networks"'
        for module in ("conditioning", "compact")
    }
    older = {f'"{new}"': f'"{old}"' for new, old in OLD_NAMES.items()}
    older |= {f'"audiosynth>{new}"': f'"audiosynth>{old}"' for new, old in OLD_NAMES.items()}
    rewritten(tmp_path / "new.keras", tmp_path / "old.keras", flat | older)
    names = registered_names(tmp_path / "old.keras")
    assert "audiosynth>BackToFront" in names and not names & {f"audiosynth>{n}" for n in OLD_NAMES}
    again = keras.models.load_model(tmp_path / "old.keras", safe_mode=True)
    inputs = [np.random.default_rng(0).normal(size=(2, *x.shape[1:])) for x in model.inputs]
    inputs = [x.astype("float32") for x in inputs]
    assert np.array_equal(model(inputs), again(inputs))
    again.save(tmp_path / "again.keras")
    assert registered_names(tmp_path / "again.keras") == registered_names(tmp_path / "new.keras")


def test_the_table_of_older_names_is_what_keras_looks_up():
    assert set(NAMES_OF_0_1_0) == {"Fold", "Unfold", "BatchDeviation", "BackToFront"}
    for old, kind in NAMES_OF_0_1_0.items():
        assert keras.saving.get_registered_object(f"audiosynth>{old}") is kind
        assert keras.saving.get_registered_name(kind) == f"audiosynth>{kind.__name__}"
