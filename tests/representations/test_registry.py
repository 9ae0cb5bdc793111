# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Every representation: there and back, wrong answers, one graph, one file."

import json

import numpy as np
import pytest
import tensorflow as tf

from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips
from audiosynth.representations.base import RunningMoments
from audiosynth.representations.phase_reconstruction import griffin_lim
from audiosynth.representations.registry import (
    FILE,
    REPRESENTATIONS,
    LogMagnitude,
    MagIF,
    MagPhase,
    MelLogMagnitude,
    MelMagIF,
    MelStft,
    RealImaginary,
    Waveform,
    convert,
    find_representation,
    from_config,
    load_representation,
)
from audiosynth.representations.stft import mel_inverse, spectral_convergence, stft

SAMPLES = 2**12
KINDS = {
    "waveform": lambda: Waveform(SAMPLES),
    "stft": lambda: RealImaginary(SAMPLES),
    "stft whole": lambda: RealImaginary(SAMPLES, nyquist=True, frame=256, hop=64, window="hann"),
    "log_magnitude": lambda: LogMagnitude(SAMPLES),
    "mag_phase": lambda: MagPhase(SAMPLES),
    "mag_phase whole": lambda: MagPhase(SAMPLES, nyquist=True),
    "mag_if": lambda: MagIF(SAMPLES),
    "mag_if whole": lambda: MagIF(SAMPLES, nyquist=True, frame=1024, hop=256),
    "mel range": lambda: MelLogMagnitude(SAMPLES),
    "mel bins": lambda: MelLogMagnitude(SAMPLES, hop=128, mels=128, normalisation="bins"),
    "mel_mag_if": lambda: MelMagIF(SAMPLES),
    "mel_stft": lambda: MelStft(SAMPLES),
}
EXACT = {"waveform", "stft", "stft whole", "mag_phase whole", "mag_if whole"}
NEAR_DB = {
    "log_magnitude": -13,
    "mag_phase": -30,
    "mag_if": -30,
    "mel range": -4,
    "mel bins": -8,
    "mel_mag_if": -6.6,
    "mel_stft": -60,
}
CLIPPED = {"log_magnitude", "mel range", "mel bins"}


def sounds(n, seed):
    "Harmonic tones with noise that come and go: something a mel picture can show."
    rng = np.random.default_rng(seed)
    time = np.arange(SAMPLES) / 16000
    pitch = rng.uniform(100, 300, (n, 1))
    wave = sum(
        np.sin(2 * np.pi * k * pitch * time + rng.uniform(0, 6, (n, 1))) / k for k in range(1, 20)
    )
    wave = (wave + 0.2 * rng.normal(size=(n, SAMPLES))) * np.sin(
        np.pi * time * rng.uniform(4, 12, (n, 1))
    ) ** 2
    return (0.9 * wave / np.abs(wave).max(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param, KINDS[request.param]().fit([sounds(8, seed) for seed in range(3)])


def nearness(wave, found):
    found = np.asarray(found)
    scale = (
        (wave * wave).sum() ** 0.5 / max((found * found).sum() ** 0.5, 1e-9) if found.any() else 1.0
    )
    return spectral_convergence(np.abs(stft(wave)), np.abs(stft(found * scale))).max()


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
        measure = lambda x: (
            tf.reduce_mean(x[..., 0] ** 2) + tf.reduce_mean(loud * tf.cos(np.pi * x[..., 1]))
        )
    else:
        measure = lambda x: tf.reduce_mean(x**2)
    with tf.GradientTape() as tape:
        where = tf.constant(wave)
        tape.watch(where)
        total = measure(made.encode(where))
    slope = float(tf.reduce_sum(tape.gradient(total, where) * direction))
    step = 1e-5  # quiet bins bend soon
    up, down = (float(measure(made.encode(wave + s * direction))) for s in (step, -step))
    assert np.isclose(slope, (up - down) / (2 * step), rtol=0.1, atol=5e-4)


def test_the_compiled_picture_is_the_plain_one():
    "Its values, its gradient, and the gradient of that, silence included; inside a graph too."
    made = LogMagnitude(SAMPLES).fit([sounds(8, 0)])
    wave = tf.constant(np.concatenate([sounds(2, 1), np.zeros((1, SAMPLES), np.float32)]))

    def bent(encode):
        with tf.GradientTape() as outer:
            outer.watch(wave)
            with tf.GradientTape() as inner:
                inner.watch(wave)
                x = encode(wave)
                total = tf.reduce_sum(x**3)
            slope = inner.gradient(total, wave)
            size = tf.reduce_sum(tf.tanh(slope) ** 2)
        return x, slope, outer.gradient(size, wave)

    plain = bent(lambda wave: made.from_level(made.level(wave)))
    for found, near in (
        (bent(made.encode), 5e-3),
        (tf.function(lambda: bent(made.encode))(), 1e-3),
    ):  # in lanes quiet bins round otherwise
        for ours, theirs in zip(found, plain):
            assert np.isfinite(ours).all() and np.abs(theirs).max() > 0
            assert np.abs(ours - theirs).max() < near * np.abs(theirs).max()


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


NOISE = np.random.default_rng(0).uniform(-1, 1, (2, 2**14)).astype(np.float32)


@pytest.mark.parametrize(
    "make, tolerance", [(Waveform, 0), (RealImaginary, 1e-5), (MagPhase, 1e-5), (MagIF, 1e-4)]
)
def test_white_noise_comes_back_to_the_last_sample(make, tolerance):
    "All 257 bins, edges included, on the statistics of the noise and on those of other sounds."
    for how in (
        [{}]
        if make is Waveform
        else [dict(nyquist=True), dict(nyquist=True, frame=512, hop=256, window="hann")]
        + ([{}] if make is RealImaginary else [])
    ):
        for training in (NOISE, load_clips("digits").waves(range(16))):
            made = make(**how).fit([training])
            off = np.abs(made.decode(made.encode(NOISE)) - NOISE)
            size = np.sqrt((NOISE**2).mean())
            assert np.sqrt((off**2).mean()) <= tolerance * size
            assert (
                off.max() <= 5 * tolerance
                and off[:, :64].max() <= 5 * tolerance
                and off[:, -64:].max() <= 5 * tolerance
            )


@pytest.mark.parametrize("make", [MagPhase, MagIF])
def test_what_the_last_bin_costs(make):
    "In the 256-bin pictures: half of 1/512 of white noise, the rest of which the overlapping frames know; next to nothing of what is heard."
    for name, most_db in (("noise", -29), ("digits", -45), ("piano", -60)):
        wave = (
            NOISE
            if name == "noise"
            else load_clips(name).waves(load_clips(name).where("train")[::40])
        )
        made = make().fit([wave])
        lost = 10 * np.log10(
            ((made.decode(made.encode(wave)) - wave) ** 2).numpy().sum() / (wave**2).sum()
        )
        assert lost < most_db, (name, lost)
        assert name != "noise" or lost > -32


def test_a_sine_has_one_frequency_and_a_chirp_a_line():
    time = np.arange(2**14) / 16000
    sine = np.sin(2 * np.pi * 440 * time)[None].astype(np.float32)
    made = MagIF().fit([NOISE])
    steps = made.encode(sine)[0, 4:-4, 13:16, 1].numpy()  # bin 14 is 437.5 Hz
    assert np.abs(steps - steps[:1]).max() < 1e-3
    wanted = 2 * 440 * 128 / 16000
    assert np.abs(steps - (wanted - 2 * np.round(wanted / 2))).max() < 1e-3
    for wrong in (NOISE[:1], np.zeros_like(sine) + sine[:, ::-1] * NOISE[:1]):
        assert np.abs(np.diff(made.encode(wrong)[0, 4:-4, 13:16, 1], axis=0)).max() > 0.1
    low_hz, high_hz = 1000, 1400
    chirp = np.sin(2 * np.pi * (low_hz * time + (high_hz - low_hz) / 2 / time[-1] * time**2))[
        None
    ].astype(np.float32)
    frequency = made.encode(chirp)[0, :, :, 1].numpy()
    centre = np.arange(128) * 128 + 64 - 64  # between the middles of a frame and of the one before
    hz = low_hz + (high_hz - low_hz) / time[-1] * centre / 16000
    ridge = np.round(hz / 31.25).astype(int)
    step = np.unwrap(np.pi * frequency[np.arange(128), ridge])[4:-4] / np.pi
    line = np.polyfit(np.arange(4, 124), step, 1)
    assert np.abs(step - np.polyval(line, np.arange(4, 124))).max() < 1e-2
    assert np.isclose(
        line[0], 2 * 128 * (high_hz - low_hz) / time[-1] / 16000 * 128 / 16000, rtol=1e-2
    )


def test_the_running_sum_keeps_its_turns():
    made = MagIF(2**16, nyquist=True)  # 512 frames
    wave = np.random.default_rng(4).uniform(-1, 1, (1, 2**16)).astype(np.float32)
    made.fit([wave])
    off = made.decode(made.encode(wave)) - wave
    assert np.sqrt((off.numpy() ** 2).mean() / (wave**2).mean()) < 1e-4


def test_the_mel_stft_is_undone_by_least_squares():
    made = MelStft().fit([NOISE])
    assert np.sqrt(((made.decode(made.encode(NOISE)) - NOISE).numpy() ** 2).mean()) < 1e-5
    rng = np.random.default_rng(1)
    wave, x = (
        rng.normal(size=(1, 2**14)).astype(np.float32),
        rng.normal(size=(1, *made.shape)).astype(np.float32),
    )
    there, back = (
        float(tf.reduce_sum(made.heard(wave) * x)),
        float(tf.reduce_sum(wave * made.unheard(x))),
    )
    assert np.isclose(there, back, rtol=1e-3, atol=1e-1)  # `unheard` is the transpose of `heard`
    with pytest.raises(InputError, match="use more filters"):
        MelStft(mels=64)


def test_mel_frequency_of_a_sine_is_its_own():
    made = MelMagIF().fit([NOISE])
    sine = np.sin(2 * np.pi * 440 * np.arange(2**14) / 16000)[None].astype(np.float32)
    x = made.encode(sine)[0].numpy()
    loud = x[64, :, 0].argmax()
    wanted = 2 * 440 * made.hop / 16000
    assert (
        np.abs(x[6:-6, loud - 1 : loud + 2, 1] - (wanted - 2 * np.round(wanted / 2))).max() < 1e-3
    )


def test_files_from_before_there_was_a_choice_of_phase():
    "Format 1 without `phase` and `nyquist` decodes as it did: fast Griffin-Lim from a random phase."
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


def test_every_road_has_finite_gradients(all_kinds):
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


def test_per_bin_statistics_are_those_of_the_training_clips():
    made = LogMagnitude(SAMPLES).fit(sounds(8, seed) for seed in range(3))
    x = np.concatenate([made.encode(sounds(8, seed)) for seed in range(3)])
    assert (
        np.abs(x.mean(axis=(0, 1))).max() < 0.02 and np.abs(x.std(axis=(0, 1)) - 1 / 3).max() < 0.05
    )
    values = np.random.default_rng(0).normal([1e4, -3], [1, 5], (500, 2))
    moments = RunningMoments()
    for part in np.array_split(values, 7):
        moments.update(part)
    assert np.allclose(moments.mean, values.mean(axis=0)) and np.allclose(
        moments.deviation, values.std(axis=0)
    )


def test_the_top_of_the_band_is_heard():
    wide = [sounds(4, 0)]
    spectrum = np.fft.rfft(wide[0])
    spectrum[:, spectrum.shape[1] // 2 :] = 0
    narrow = [np.fft.irfft(spectrum).astype(np.float32)]
    assert MelLogMagnitude(SAMPLES).fit(wide).statistics["top_hz"] == 8000
    assert MelLogMagnitude(SAMPLES).fit(narrow).statistics["top_hz"] == 4000
    assert MelLogMagnitude(SAMPLES, high_hz=5000.0).fit(narrow).statistics["top_hz"] == 5000


def test_the_fixed_range_does_not_hear_the_level():
    made, wave = MelLogMagnitude(SAMPLES, high_hz=8000.0), sounds(2, 0)
    assert np.abs(made.encode(wave) - made.encode(0.01 * wave)).max() < 1e-3
    assert np.all(made.encode(np.zeros((1, SAMPLES))) == -1)
    assert np.abs(made.decode(-np.ones((1, *made.shape), np.float32))).max() < 2e-3


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


def test_a_failed_save_leaves_the_old_file(tmp_path):
    made = LogMagnitude(SAMPLES).fit([sounds(2, 0)])
    path = made.save(tmp_path)
    before = path.read_bytes()
    made.statistics["mean"] = np.full_like(made.statistics["mean"], np.nan)
    with pytest.raises(ValueError):
        made.save(tmp_path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [FILE]
