# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The table: names, files old and broken, and the way from one representation to another."

import json

import numpy as np
import pytest
import tensorflow as tf
from representation_kinds import KINDS, SAMPLES, sounds

from audiosynth.data.files import InputError
from audiosynth.representations.base import FILE, Waveform
from audiosynth.representations.magnitude import LogMagnitude, MelLogMagnitude
from audiosynth.representations.phase_reconstruction import griffin_lim
from audiosynth.representations.registry import (
    REPRESENTATIONS,
    convert,
    find_representation,
    from_config,
    load_representation,
)
from audiosynth.representations.stft import mel_inverse


def test_files_from_before_there_was_a_choice_of_phase():
    "Format 1 without `phase` and `nyquist` decodes as before: fast Griffin-Lim from random phases."
    wave = sounds(2, 3)
    for made, magnitude in (
        (
            LogMagnitude(SAMPLES),
            lambda m, x: tf.pad(tf.exp(m.denormalise(x[..., 0])), [[0, 0], [0, 0], [0, 1]]),
        ),
        (
            MelLogMagnitude(SAMPLES, hop=128, normalisation="bins"),
            lambda m, x: mel_inverse(tf.exp(m.denormalise(x[..., 0])), m.matrix()),
        ),
    ):
        made.fit([sounds(8, 0)])
        stored = json.loads(json.dumps(made.config()))
        for new in ("phase", "nyquist"):
            stored["options"].pop(new, None)
        old = from_config(stored)
        assert old.phase == "fast_griffin_lim"
        x = made.encode(wave)
        assert np.array_equal(old.encode(wave), x)
        wanted = griffin_lim(
            magnitude(old, x), **old.analysis, samples=SAMPLES, iterations=old.iterations, seed=7
        )
        assert (
            np.abs(old.decode(x, seed=7) - wanted).max() < 2e-3
        )  # 48 iterations, in another graph


@pytest.fixture(scope="module")
def all_kinds():
    return {
        name: make().fit([sounds(8, 0)]) for name, make in KINDS.items() if "whole" not in name
    } | {"log_magnitude whole": LogMagnitude(SAMPLES, nyquist=True).fit([sounds(8, 1)])}


def test_convert_is_decode_and_encode(all_kinds):
    wave = sounds(2, 5)
    for source in (k for k in all_kinds.values() if k.differentiable):
        x = source.encode(wave)
        assert convert(x, source, source) is x
        for target in all_kinds.values():
            found, long_way = (
                convert(x, source, target).numpy(),
                target.encode(source.decode(x)).numpy(),
            )
            if {"phase", "frequency"} & set(
                target.components
            ):  # angles: whole turns and quiet bins do not matter
                found, long_way = found[..., 0], long_way[..., 0]
            assert found.shape == long_way.shape and np.isfinite(found).all()
            near = np.abs(found - long_way)
            if source is target:
                continue
            assert np.quantile(near, 0.9) < 0.03, (source.name, target.name, np.quantile(near, 0.9))
            shuffled = target.encode(source.decode(x)[::-1]).numpy()
            assert (
                np.abs(
                    found - (shuffled[..., 0] if found.ndim < shuffled.ndim else shuffled)
                ).mean()
                > 3 * near.mean()
            )


def test_shortcuts_are_the_channel(all_kinds):
    wave, target = sounds(2, 5), all_kinds["log_magnitude"]
    for name in ("mag_phase", "mag_if"):
        source = all_kinds[name]
        x = source.encode(wave)
        assert np.abs(convert(x, source, target) - tf.clip_by_value(x[..., :1], -1, 1)).max() < 1e-5
    assert (
        np.abs(
            convert(all_kinds["stft"].encode(wave), all_kinds["stft"], target) - target.encode(wave)
        )[np.abs(target.encode(wave)) < 0.99].max()
        < 1e-2
    )
    alone = convert(x[:1], source, target)
    assert np.array_equal(alone, convert(x, source, target)[:1])


@pytest.mark.own_process
def test_every_conversion_has_finite_gradients(all_kinds):
    wave = np.concatenate([sounds(1, 5), np.zeros((1, SAMPLES), np.float32)])
    for source in (k for k in all_kinds.values() if k.differentiable):
        x = source.encode(wave)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            found = {
                name: tf.reduce_sum(convert(x, source, target) ** 2)
                for name, target in all_kinds.items()
            }
        for name in found:
            assert np.isfinite(tape.gradient(found[name], x)).all(), (source.name, name)


def test_clips_of_another_kind_are_refused():
    with pytest.raises(InputError, match="8000 Hz"):
        convert(np.zeros((1, 64, 1)), Waveform(64), Waveform(64, rate=8000))


def test_unknown_names_get_the_nearest():
    assert all(find_representation(name).name == name for name in REPRESENTATIONS)
    with pytest.raises(InputError, match="did you mean 'log_magnitude'"):
        find_representation("log_magnitud")


def test_a_broken_file_is_named(tmp_path):
    made = LogMagnitude(SAMPLES).fit([sounds(2, 0)])
    path = made.save(tmp_path)
    good = json.loads(path.read_text())
    broken = [
        path.read_text()[:200],
        "",
        "[]",
        "\x00",
        "{}",
        json.dumps(good | {"name": "wav"}),
        json.dumps(good | {"format": 2}),
        json.dumps(good | {"options": {"colour": 1}}),
        json.dumps(good | {"options": {"samples": "many"}}),
        json.dumps(good | {"statistics": {"mean": [1.0], "deviation": [1.0]}}),
        json.dumps(good | {"statistics": {}}),
        json.dumps(good | {"statistics": good["statistics"] | {"mean": [float("nan")] * 256}}),
    ]
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
