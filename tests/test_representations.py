# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Every representation: there and back, wrong answers, one graph, one file."
import json

import numpy as np
import pytest
import tensorflow as tf

from audiosynth.datasets import InputError
from audiosynth.representations import (FILE, REPRESENTATIONS, LogMagnitude, MelLogMagnitude, RunningMoments, Waveform,
                                        load_representation, named)
from audiosynth.spectral import spectral_convergence, stft

SAMPLES = 2**12
KINDS = {
    "waveform": lambda: Waveform(SAMPLES),
    "log_magnitude": lambda: LogMagnitude(SAMPLES),
    "mel range": lambda: MelLogMagnitude(SAMPLES),
    "mel bins": lambda: MelLogMagnitude(SAMPLES, hop=128, mels=128, normalisation="bins"),
}
NEAR_DB = {"waveform": -100, "log_magnitude": -13, "mel range": -4, "mel bins": -8}


def sounds(n, seed):
    "Harmonic tones with noise that come and go: something a mel picture can show."
    rng = np.random.default_rng(seed)
    time = np.arange(SAMPLES) / 16000
    pitch = rng.uniform(100, 300, (n, 1))
    wave = sum(np.sin(2 * np.pi * k * pitch * time + rng.uniform(0, 6, (n, 1))) / k for k in range(1, 20))
    wave = (wave + 0.2 * rng.normal(size=(n, SAMPLES))) * np.sin(np.pi * time * rng.uniform(4, 12, (n, 1))) ** 2
    return (0.9 * wave / np.abs(wave).max(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    made = KINDS[request.param]().fit(sounds(8, seed) for seed in range(3)) if request.param != "mel bins" else \
        KINDS[request.param]().fit([sounds(8, seed) for seed in range(3)])
    return request.param, made


def nearness(wave, found):
    found = np.asarray(found)
    scale = (wave * wave).sum() ** 0.5 / max((found * found).sum() ** 0.5, 1e-9) if found.any() else 1.0
    return spectral_convergence(np.abs(stft(wave)), np.abs(stft(found * scale))).max()


def test_there_and_back_and_wrong_answers(kind):
    name, made = kind
    wave = sounds(3, seed=9)
    x = made.encode(wave)
    assert x.shape == (3, *made.shape) and x.dtype == tf.float32 and np.abs(x).max() <= 1
    assert nearness(wave, made.decode(x)) < NEAR_DB[name]
    order = np.random.default_rng(0).permutation(made.shape[0])
    for wrong in (np.zeros_like(wave), made.decode(tf.gather(x, order, axis=1)), made.decode(x[::-1])):
        assert nearness(wave, wrong) > NEAR_DB[name] / 2


def test_one_graph_for_every_batch_and_seed(kind):
    _, made = kind
    x = made.encode(sounds(3, seed=4))
    alone = np.asarray(made.decode(x[1:2]))
    assert np.abs(made.decode(x)[1] - alone[0]).max() < 1e-3
    made.decode(x[:2], seed=5)
    assert made._graph.experimental_get_tracing_count() == 1
    inside = tf.function(lambda wave: made.encode(made.decode(made.encode(wave))))
    assert inside(sounds(2, seed=4)).shape == (2, *made.shape)


def test_silence_is_finite_with_finite_gradients(kind):
    _, made = kind
    for wave in (np.zeros((1, SAMPLES), np.float32), sounds(1, seed=3)):
        wave = tf.constant(wave)
        with tf.GradientTape() as tape:
            tape.watch(wave)
            total = tf.reduce_sum(made.encode(wave) ** 2)
        assert np.isfinite(tape.gradient(total, wave)).all()
    assert np.isfinite(made.decode(made.encode(np.zeros((1, SAMPLES), np.float32)))).all()


def test_the_gradient_of_encode_is_the_finite_difference(kind):
    _, made = kind
    wave, direction = sounds(1, seed=5), np.random.default_rng(6).normal(size=(1, SAMPLES)).astype(np.float32)
    direction *= np.hanning(SAMPLES).astype(np.float32) * (np.abs(wave) < 0.5)  # the peak stays the peak
    with tf.GradientTape() as tape:
        where = tf.constant(wave)
        tape.watch(where)
        total = tf.reduce_mean(made.encode(where) ** 2)
    slope = float(tf.reduce_sum(tape.gradient(total, where) * direction))
    step = 3e-5  # quiet bins bend soon
    up, down = (float(tf.reduce_mean(made.encode(wave + s * direction) ** 2)) for s in (step, -step))
    assert np.isclose(slope, (up - down) / (2 * step), rtol=0.1, atol=2e-4)


def test_saved_and_loaded_it_is_the_same(kind, tmp_path):
    _, made = kind
    made.save(tmp_path / "model")
    again = load_representation(tmp_path / "model")
    assert [p.name for p in (tmp_path / "model").iterdir()] == [FILE]
    assert type(again) is type(made) and again.config() == made.config()
    for name, value in made.statistics.items():
        assert np.array_equal(value, again.statistics[name]) and again.statistics[name].dtype == np.float32
    wave = sounds(2, seed=7)
    assert np.array_equal(made.encode(wave), again.encode(wave))


def test_wrong_shapes_are_a_sentence(kind):
    _, made = kind
    for call in (lambda: made.encode(np.zeros((2, SAMPLES - 1))), lambda: made.encode(np.zeros(SAMPLES)),
                 lambda: made.decode(np.zeros((2, 3, 4, 1)))):
        with pytest.raises(InputError, match="needs"):
            call()


def test_per_bin_statistics_are_those_of_the_training_clips():
    made = LogMagnitude(SAMPLES).fit(sounds(8, seed) for seed in range(3))
    x = np.concatenate([made.encode(sounds(8, seed)) for seed in range(3)])
    assert np.abs(x.mean(axis=(0, 1))).max() < 0.02 and np.abs(x.std(axis=(0, 1)) - 1 / 3).max() < 0.05
    values = np.random.default_rng(0).normal([1e4, -3], [1, 5], (500, 2))
    moments = RunningMoments()
    for part in np.array_split(values, 7):
        moments.update(part)
    assert np.allclose(moments.mean, values.mean(axis=0)) and np.allclose(moments.deviation, values.std(axis=0))


def test_the_top_of_the_band_is_heard():
    wide = [sounds(4, 0)]
    spectrum = np.fft.rfft(wide[0])
    spectrum[:, spectrum.shape[1] // 2:] = 0
    narrow = [np.fft.irfft(spectrum).astype(np.float32)]
    assert MelLogMagnitude(SAMPLES).fit(wide).statistics["top_hz"] == 8000
    assert MelLogMagnitude(SAMPLES).fit(narrow).statistics["top_hz"] == 4000
    assert MelLogMagnitude(SAMPLES, high_hz=5000.0).fit(narrow).statistics["top_hz"] == 5000


def test_the_fixed_range_does_not_hear_the_level():
    made, wave = MelLogMagnitude(SAMPLES, high_hz=8000.0), sounds(2, 0)
    assert np.abs(made.encode(wave) - made.encode(0.01 * wave)).max() < 1e-3
    assert np.all(made.encode(np.zeros((1, SAMPLES))) == -1)
    assert np.abs(made.decode(-np.ones((1, *made.shape), np.float32))).max() < 2e-3


@pytest.mark.parametrize("make", [
    lambda: LogMagnitude(SAMPLES).encode(np.zeros((1, SAMPLES))), lambda: LogMagnitude(SAMPLES).fit([]),
    lambda: MelLogMagnitude(SAMPLES).fit([np.zeros((1, SAMPLES))]), lambda: LogMagnitude(1000),
    lambda: MelLogMagnitude(SAMPLES, normalisation="bin"), lambda: MelLogMagnitude(SAMPLES, mels=400)])
def test_what_cannot_work_is_refused(make):
    with pytest.raises(InputError):
        make()


def test_unknown_names_get_the_nearest():
    assert all(named(name).name == name for name in REPRESENTATIONS)
    with pytest.raises(InputError, match="did you mean 'log_magnitude'"):
        named("log_magnitud")


def test_a_broken_file_is_named(tmp_path):
    made = LogMagnitude(SAMPLES).fit([sounds(2, 0)])
    path = made.save(tmp_path)
    good = json.loads(path.read_text())
    broken = [path.read_text()[:200], "", "[]", "\x00", "{}", json.dumps(good | {"name": "wav"}), json.dumps(good | {"format": 2}),
              json.dumps(good | {"options": {"colour": 1}}), json.dumps(good | {"options": {"samples": "many"}}),
              json.dumps(good | {"statistics": {"mean": [1.0], "deviation": [1.0]}}), json.dumps(good | {"statistics": {}}),
              json.dumps(good | {"statistics": good["statistics"] | {"mean": [float("nan")] * 256}})]
    for text in broken:
        path.write_text(text)
        with pytest.raises(InputError, match=FILE):
            load_representation(tmp_path)
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match=FILE):
        load_representation(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=FILE):
        load_representation(tmp_path)


def test_a_failed_save_leaves_the_old_file(tmp_path):
    made = LogMagnitude(SAMPLES).fit([sounds(2, 0)])
    path = made.save(tmp_path)
    before = path.read_bytes()
    made.statistics["mean"] = np.full_like(made.statistics["mean"], np.nan)
    with pytest.raises(ValueError):
        made.save(tmp_path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [FILE]
