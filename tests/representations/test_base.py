# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"What every representation must do: there and back, wrong answers, one graph, one file."

import numpy as np
import pytest
import tensorflow as tf
from representation_kinds import CLIPPED, EXACT, KINDS, NEAR_DB, SAMPLES, nearness, sounds

from audiosynth.data.files import InputError
from audiosynth.representations.base import FILE
from audiosynth.representations.complex import MagIF, MagPhase, RealImaginary
from audiosynth.representations.magnitude import LogMagnitude, MelLogMagnitude
from audiosynth.representations.mel_complex import MelMagIF
from audiosynth.representations.registry import load_representation


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param, KINDS[request.param]().fit([sounds(8, seed) for seed in range(3)])


def test_there_and_back_and_wrong_answers(kind):
    name, made = kind
    wave = sounds(3, seed=9)
    x = made.encode(wave)
    near_db = -90 if name in EXACT else NEAR_DB[name]
    assert (
        x.shape == (3, *made.shape)
        and x.dtype == tf.float32
        and len(made.components) == made.shape[-1]
    )
    assert np.abs(x).max() <= (1 if name in CLIPPED else 3)
    assert nearness(wave, made.decode(x)) < near_db
    if name in EXACT:
        assert np.abs(made.decode(x) - wave).max() < (1e-4 if "if" in name else 1e-5)
    order = np.random.default_rng(0).permutation(made.shape[0])
    for wrong in (
        np.zeros_like(wave),
        made.decode(tf.gather(x, order, axis=1)),
        made.decode(x[::-1]),
    ):
        assert nearness(wave, wrong) > max(near_db / 2, -8)


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
    "Of a sum whose weights are all alike but in sign, so that no component is left out."
    name, made = kind
    wave, direction = (
        sounds(1, seed=5),
        np.random.default_rng(6).normal(size=(1, SAMPLES)).astype(np.float32),
    )
    direction *= np.hanning(SAMPLES).astype(np.float32) * (
        np.abs(wave) < 0.5
    )  # the peak stays the peak
    if len(made.components) == 2 and made.components[0] == "magnitude":
        loud = tf.cast(
            made.encode(wave)[..., 0] > 0.3, tf.float32
        )  # whole turns do not matter, and quiet bins turn fast

        def measure(x):
            turning = tf.reduce_mean(loud * tf.cos(np.pi * x[..., 1]))
            return tf.reduce_mean(x[..., 0] ** 2) + turning
    else:

        def measure(x):
            return tf.reduce_mean(x**2)

    with tf.GradientTape() as tape:
        where = tf.constant(wave)
        tape.watch(where)
        total = measure(made.encode(where))
    slope = float(tf.reduce_sum(tape.gradient(total, where) * direction))
    step = 1e-5  # quiet bins bend soon
    up, down = (float(measure(made.encode(wave + s * direction))) for s in (step, -step))
    assert np.isclose(slope, (up - down) / (2 * step), rtol=0.1, atol=5e-4)


def test_decode_has_a_gradient_where_it_says_so(kind):
    _, made = kind
    assert made.differentiable == (type(made) not in (LogMagnitude, MelLogMagnitude))
    if not made.differentiable:
        return
    for x in (
        made.encode(sounds(2, seed=8)),
        made.encode(np.zeros((1, SAMPLES), np.float32)),
        tf.zeros((1, *made.shape)),
    ):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(made.decode(x) ** 2)
        slope = tape.gradient(total, x)
        assert np.isfinite(slope).all()
    x = made.encode(sounds(1, seed=8))
    direction = np.random.default_rng(3).normal(size=x.shape).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_mean(made.decode(x) ** 2)
    slope, step = float(tf.reduce_sum(tape.gradient(total, x) * direction)), 1e-4
    up, down = (float(tf.reduce_mean(made.decode(x + s * direction) ** 2)) for s in (step, -step))
    assert np.isclose(slope, (up - down) / (2 * step), rtol=0.05, atol=1e-3)


def test_saved_and_loaded_it_is_the_same(kind, tmp_path):
    _, made = kind
    made.save(tmp_path / "model")
    again = load_representation(tmp_path / "model")
    assert [p.name for p in (tmp_path / "model").iterdir()] == [FILE]
    assert type(again) is type(made) and again.config() == made.config()
    for name, value in made.statistics.items():
        assert (
            np.array_equal(value, again.statistics[name])
            and again.statistics[name].dtype == np.float32
        )
    wave = sounds(2, seed=7)
    assert np.array_equal(made.encode(wave), again.encode(wave))


def test_wrong_shapes_are_a_sentence(kind):
    _, made = kind
    for call in (
        lambda: made.encode(np.zeros((2, SAMPLES - 1))),
        lambda: made.encode(np.zeros(SAMPLES)),
        lambda: made.decode(np.zeros((2, 3, 4, 1))),
    ):
        with pytest.raises(InputError, match="needs"):
            call()


def test_a_clip_is_encoded_and_decoded_the_same_in_any_company(kind):
    _, made = kind
    wave, loud = sounds(3, seed=2), 0.9 * np.sign(sounds(3, seed=11))
    alone, together = made.encode(wave[:1]), made.encode(np.concatenate([wave[:1], loud]))
    assert (
        np.abs(alone - together[:1]).max() < 1e-5
        if not {"phase", "frequency"} & set(made.components)
        else True
    )
    assert (
        np.abs(made.decode(alone) - made.decode(tf.concat([alone, together[1:]], 0))[:1]).max()
        < 1e-4
    )


def test_statistics_do_not_depend_on_how_the_clips_come(kind):
    name, made = kind
    wave = np.concatenate([sounds(8, seed) for seed in range(3)])
    again = KINDS[name]().fit([wave[:1], wave[1:7], wave[7:]])
    for key, value in made.statistics.items():
        assert np.allclose(value, again.statistics[key], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LogMagnitude(SAMPLES).encode(np.zeros((1, SAMPLES))),
        lambda: LogMagnitude(SAMPLES).fit([]),
        lambda: MelLogMagnitude(SAMPLES).fit([np.zeros((1, SAMPLES))]),
        lambda: LogMagnitude(1000),
        lambda: MelLogMagnitude(SAMPLES, normalisation="bin"),
        lambda: MelLogMagnitude(SAMPLES, mels=400),
        lambda: LogMagnitude(SAMPLES, phase="magic"),
        lambda: MelLogMagnitude(SAMPLES, phase="magic"),
        lambda: MagIF(SAMPLES, frame=511),
        lambda: RealImaginary(SAMPLES, hop=512, window="hann"),
        lambda: MagPhase(SAMPLES, window="hat"),
        lambda: MelMagIF(SAMPLES, mels=400),
        lambda: RealImaginary(SAMPLES).fit([]),
        lambda: MagIF(SAMPLES).encode(np.zeros((1, SAMPLES))),
    ],
)
def test_what_cannot_work_is_refused(make):
    with pytest.raises(InputError):
        make()


def test_a_failed_save_leaves_the_old_file(tmp_path):
    made = LogMagnitude(SAMPLES).fit([sounds(2, 0)])
    path = made.save(tmp_path)
    before = path.read_bytes()
    made.statistics["mean"] = np.full_like(made.statistics["mean"], np.nan)
    with pytest.raises(ValueError):
        made.save(tmp_path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [FILE]
