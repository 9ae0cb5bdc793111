# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Exported networks compute what Keras computes; the reference decoder is the package's `decode`."

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from audiosynth.cli import main
from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips
from audiosynth.gan.experiment import build_generator, resolve
from audiosynth.gan.rows import select_row
from audiosynth.gan.trained_model import TrainedModel
from audiosynth.generation.export import decoder_settings, export_model, with_plain_layers
from audiosynth.generation.exported import (
    ExportedModel,
    decode,
    first_phase,
    griffin_lim,
    magnitude,
)
from audiosynth.networks import gan_tts
from audiosynth.representations.magnitude import MelLogMagnitude
from audiosynth.representations.phase_reconstruction import _pghi_batch
from audiosynth.representations.phase_reconstruction import griffin_lim as griffin_lim_of_package
from audiosynth.representations.registry import REPRESENTATIONS
from audiosynth.representations.stft import magnitude_of, mel_inverse, spectral_convergence, stft
from conftest import ROOT

CASES = {  # every network of the book and every kind of condition; formats differ in the layers
    "wave-label": ("onnx",),
    "wave-midi": ("litert",),
    "log_mag-none": ("onnx", "litert"),
    "stft-previous": ("onnx",),
    "digit-label": ("onnx", "litert", "keras"),
    "wave_rwd-label": ("onnx",),
}
# Untrained, GAN-TTS makes much of single precision: Keras itself is 5e-5 from double precision.
TOLERANCE = {"wave_rwd": 2e-4}
SAMPLES, STATES, LABELS = 2**12, 128, ["low", "high"]


def untrained(case):
    "An untrained model; its statistics are made up."
    name, condition = case.split("-")
    row = select_row(name, width=2, condition=condition)
    representation = REPRESENTATIONS[row.representation](samples=SAMPLES, **row.options)
    made_up = {name: np.ones(shape) for name, shape in representation.fitted.items()}
    if "top_hz" in made_up:
        made_up["top_hz"] = 8000.0
    representation.store_statistics(**made_up)
    keras.utils.set_random_seed(0)
    labels, rng = LABELS if row.labels else [], np.random.default_rng(0)
    network = build_generator(row, representation, labels=len(labels), states=STATES)
    notes = rng.integers(0, 128, (4, 2 * STATES, 89)).astype("uint8")
    sound = rng.uniform(-0.5, 0.5, (4, SAMPLES // 2)).astype("float32")
    examples = {"midi": notes, "previous": sound}.get(row.clip_condition)
    metadata = dict(row=name, labels=labels, condition=row.clip_condition)
    return TrainedModel(network, representation, metadata, examples)


def inputs(model, n, seed=1):
    latent = model.generator.inputs[0].shape[-1]
    return model.inputs(np.random.default_rng(seed).uniform(-1, 1, (n, latent)).astype("float32"))


def run_litert(path, names, values):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path))
    places = {each["name"]: each["index"] for each in interpreter.get_input_details()}
    places = {name: places[f"serving_default_{name}:0"] for name in names}
    for name, value in zip(names, values):
        interpreter.resize_tensor_input(places[name], value.shape)
    interpreter.allocate_tensors()
    for name, value in zip(names, values):
        interpreter.set_tensor(places[name], value)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def run(path, format, model, values):
    "What the exported network makes of some inputs."
    names = [x.name for x in model.generator.inputs]
    if format == "keras":
        return keras.models.load_model(path)(values, training=False).numpy()
    if format == "litert":
        return run_litert(path, names, [np.asarray(value) for value in values])
    pytest.importorskip("onnxruntime")
    return ExportedModel(path).outputs(*values)


@pytest.mark.parametrize("case, format", [(case, each) for case in CASES for each in CASES[case]])
def test_the_exported_network_computes_the_same(case, format, tmp_path, monkeypatch):
    monkeypatch.setattr(gan_tts, "GBLOCKS", gan_tts.GBLOCKS[::3])  # three of seven: they are slow
    if format == "onnx":
        pytest.importorskip("tf2onnx")
    model = untrained(case)
    path, _ = export_model(model, tmp_path / {"keras": "net.keras"}.get(format, "net"), format)
    for n in (1, 3):  # any number of clips
        values = inputs(model, n)
        found = run(path, format, model, values)
        wanted = model.generator(values, training=False).numpy()
        other = model.generator([values[0][::-1] * -1, *values[1:]], training=False).numpy()
        error = np.abs(found - wanted).max()
        assert found.shape == wanted.shape
        assert error < TOLERANCE.get(model.metadata["row"], 1e-5)
        assert error < 0.01 * np.abs(other - wanted).max()  # another latent is another sound


def test_a_network_trained_in_mixed_precision_is_exported_in_single():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build_generator(select_row("digit", width=2), MelLogMagnitude(), labels=2)
    finally:
        keras.config.set_dtype_policy("float32")
    made = with_plain_layers(network)
    assert {layer.compute_dtype for layer in made.layers if layer.weights} == {"float32"}
    assert all(map(np.array_equal, made.get_weights(), network.get_weights()))


def test_what_is_not_there_or_not_known_is_one_line(tmp_path):
    with pytest.raises(InputError, match="format"):
        export_model(None, tmp_path / "net", "onxx")
    with pytest.raises(InputError, match="is a folder"):
        export_model(None, tmp_path, "keras")
    with pytest.raises(InputError, match="no such file; write both with audiosynth export"):
        ExportedModel(tmp_path / "net")


# ---- the reference decoder


def fitted(row, size="paper"):
    clips = load_clips("digits")
    found = resolve(row, clips, size=size).fit().representation
    wave = clips.waves(clips.where("test")[:3])
    return found, wave, np.asarray(found.encode(wave))


@pytest.mark.parametrize("row, size", [("wave", "paper"), ("stft", "paper"), ("stft", "laptop")])
def test_exact_representations_sample_by_sample(row, size):
    representation, wave, x = fitted(row, size)
    wave = representation.decode(x).numpy()  # what was clipped is lost
    settings = json.loads(json.dumps(decoder_settings(representation)))
    for wanted, clip in zip(wave, x):
        assert np.abs(decode(clip, settings) - wanted).max() < 1e-4 < np.abs(wanted).max()


@pytest.mark.parametrize("row", ["digit", "log_mag"])
def test_each_step_of_the_others(row):
    representation, _, x = fitted(row)
    settings = json.loads(json.dumps(decoder_settings(representation)))
    analysis = representation.analysis
    linear = magnitude(x[0, :, :, 0], settings)
    if row != "log_mag":
        level = x[..., 0] * np.array(settings["scale"]) + np.array(settings["offset"])
        wanted = mel_inverse(np.exp(level).astype("float32"), representation.matrix())[0]
        assert np.abs(linear - wanted).max() < 1e-4 * linear.max()
    phase = first_phase(linear, settings)
    nothing = np.zeros_like(linear[None])
    wanted = _pghi_batch(linear[None], nothing, **analysis, tolerance=1e-3)[0]
    assert np.abs(np.exp(1j * phase) - np.exp(1j * wanted)).max() < 1e-5
    how = dict(samples=representation.samples, iterations=representation.iterations)
    wanted = griffin_lim_of_package(linear[None], first=phase[None], **analysis, **how)[0].numpy()
    wave = griffin_lim(linear, phase, settings)
    assert np.linalg.norm(wave - wanted) < 1e-2 * np.linalg.norm(wanted)  # -40 dB; float32 there


@pytest.mark.parametrize("row", ["digit", "log_mag"])
def test_the_whole_is_as_close_to_the_picture_as_the_package(row):
    representation, wave, x = fitted(row)
    settings = decoder_settings(representation)
    ours = np.array([decode(clip, settings) for clip in x], "float32")
    wanted = magnitude_of(stft(wave, **representation.analysis))
    distance = [
        spectral_convergence(wanted, magnitude_of(stft(each, **representation.analysis)))
        for each in (ours, representation.decode(x), ours[::-1])
    ]
    assert (
        distance[0].mean() < distance[1].mean() + 1
    )  # other phases in the quiet bins: either wins
    assert (distance[0] < distance[2] - 3)[[0, 2]].all()  # other clips in the same order
    level = 20 * np.log10(np.sqrt((ours**2).mean(1)) / np.sqrt((wave**2).mean(1)))
    assert np.abs(level).max() < 1.5


def test_a_representation_without_a_reference_decoder_is_one_line():
    with pytest.raises(InputError, match="mag_if: no reference decoder"):
        decode(np.zeros((4, 4, 2)), decoder_settings(REPRESENTATIONS["mag_if"]()))


WITHOUT_TENSORFLOW = """
import sys
sys.modules |= dict(tensorflow=None, keras=None)  # an import of them fails
import numpy as np
from audiosynth.generation.exported import ExportedModel
print(ExportedModel(sys.argv[1]).generate(np.zeros((2, 64))).shape)
"""


def test_the_command(tmp_path, capsys):
    pytest.importorskip("tf2onnx"), pytest.importorskip("onnxruntime")
    gan = resolve("digit", load_clips("digits"), width=2).fit().build()
    metadata = {"row": "digit", "labels": load_clips("digits").labels}
    TrainedModel(gan.ema_generator, gan.representation, metadata).save(tmp_path / "model")
    main(["export", str(tmp_path / "model"), "--out", str(tmp_path / "digit.onnx")])
    assert "digit.onnx.json: 0.0" in capsys.readouterr().out
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, str(tmp_path / "digit.onnx")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.stdout == "(2, 16384)\n", run.stderr
