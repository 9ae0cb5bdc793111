# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The robustness study: noise has its SNR, scores are in order, and a stopped study resumes."

import json

import numpy as np
import pytest
import soundfile

from audiosynth.data.files import InputError
from audiosynth.representations.registry import REPRESENTATIONS
from audiosynth.robustness import run as study
from audiosynth.robustness.noise import (
    AVERAGED,
    SETUPS,
    Point,
    component_names,
    component_scale,
    noise_at_snr,
    noisy_sounds,
    noisy_spectrogram,
    study_plan,
    study_representation,
)
from audiosynth.robustness.plots import TABLE, curve, panel, read_scores
from audiosynth.robustness.quality import (
    DATA,
    RATE,
    SCORES,
    dnsmos,
    estoi,
    missing_scores,
    pesq,
    score_all,
    spoken,
    visqol,
)
from audiosynth.robustness.run import robustness

SHORT = spoken()[4096 : 4096 + 2**14]
needs = {
    name: pytest.mark.skipif(
        name in missing_scores(), reason=f"{SCORES[name].package} is not installed"
    )
    for name in SCORES
}


def db(ratio):
    return 10 * np.log10(ratio)


@pytest.mark.parametrize("snr_db", [-20, 0, 20, 60])
@pytest.mark.parametrize("shape", [(2**14,), (128, 256), (16, 32)])
def test_noise_has_the_wanted_snr(snr_db, shape):
    rng = np.random.default_rng(0)
    component = 3 + 2 * rng.standard_normal(shape) ** 3
    noise = noise_at_snr(component, snr_db, rng=rng)
    assert abs(db(component.var() / (noise**2).mean()) - snr_db) < 0.1
    assert abs(np.corrcoef(noise.ravel()[1:], noise.ravel()[:-1])[0, 1]) < 5 / np.sqrt(
        noise.size
    )  # white
    assert (
        abs((noise**4).mean() / (noise**2).mean() ** 2 - 3) < 12 / np.sqrt(noise.size) * 2
    )  # Gaussian
    four = noise_at_snr(component, snr_db, rng=rng, copies=4)
    assert abs(db(component.var() / (four**2).mean()) - snr_db - db(4)) < 0.6


@pytest.mark.parametrize("name", list(REPRESENTATIONS))
@pytest.mark.parametrize("snr_db", [-20, 0, 20, 60])
@pytest.mark.parametrize("raw", [True, False])
def test_each_component_gets_its_noise_and_no_other(made, name, snr_db, raw):
    x, rep = made(name)
    names = component_names(rep)
    unit, offset = (
        np.broadcast_to(s, x.shape) for s in (component_scale(rep) if raw else (1.0, 0.0))
    )
    for component in ("all", *names):
        noisy = noisy_spectrogram(
            x, component, snr_db, names=names, rng=np.random.default_rng(1), scale=(unit, offset)
        )
        for channel, channel_name in enumerate(names):
            clean, noise = (
                (x * unit + offset)[..., channel],
                ((noisy.astype(float) - x) * unit)[..., channel],
            )
            if component in ("all", channel_name):
                assert abs(db(clean.var() / (noise**2).mean()) - snr_db) < 0.1
            else:
                assert not noise.any()


@pytest.fixture(scope="module")
def made():
    "Each representation, fitted once, with the code of a recording."
    kept = {}

    def make(name):
        if name not in kept:
            rep = study_representation(name, SHORT)
            kept[name] = np.asarray(rep.encode(SHORT[None]))[0].astype(np.float64), rep
        return kept[name]

    return make


def test_no_noise_is_the_round_trip_and_averaging_is_worth_what_it_should():
    (clean,) = noisy_sounds(SHORT, [Point("a", "waveform", 0, 0, "none", np.inf, 0)])
    assert np.array_equal(clean, SHORT)
    gain = {}
    for frame, hop in SETUPS:
        (found,) = noisy_sounds(SHORT, [Point("a", AVERAGED, frame, hop, "all", 0.0, 0)])
        gain[frame, hop] = db((SHORT**2).mean() / ((found - SHORT) ** 2).mean())
    assert all(abs(gain[s] - db(s[0] // s[1])) < 0.3 for s in SETUPS)


def test_the_noise_of_a_sound_does_not_depend_on_the_others():
    points = study_plan(
        ["a"], ["waveform", "log_magnitude"], [(512, 128)], snrs_db=(0, 20), repeats=2
    )
    waves = [p for p in points if p.representation == "waveform"]
    together, alone = list(noisy_sounds(SHORT, waves)), list(noisy_sounds(SHORT, waves[3:4]))
    assert np.array_equal(together[3], alone[0])
    first, second = (w - SHORT for w in together[1:3])  # two draws at one SNR
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
    softer = together[3] - SHORT  # the first draw again, 20 dB softer
    assert (
        np.corrcoef(first, softer)[0, 1] > 0.99
        and abs(db((first**2).mean() / (softer**2).mean()) - 20) < 0.1
    )
    other = list(noisy_sounds(SHORT, waves[1:2], seed=1))[0]
    assert not np.array_equal(other, together[1])


@pytest.fixture(scope="module")
def hiss():
    noise = np.random.default_rng(0).standard_normal(len(SHORT))
    return (noise * np.sqrt((SHORT**2).mean() / (noise**2).mean())).astype(np.float32)


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs[name]) for name in SCORES])
def test_scores_are_at_the_top_for_the_sound_itself_and_fall_with_noise(hiss, name):
    scale = SCORES[name]
    values = [
        score_all(SHORT, found, names=[name])[name]
        for found in (SHORT, *(SHORT + 10 ** (-snr_db / 20) * hiss for snr_db in (40, 20, 0)), hiss)
    ]
    slack = 0.03 * (scale.high - scale.low)
    assert np.all(np.diff(values) < slack) and values[0] - values[-1] > 0.25 * (
        scale.high - scale.low
    ), values
    assert all(scale.low - slack <= v <= scale.high + slack for v in values)
    if name != "dnsmos":
        assert values[0] > 0.9 * scale.high  # DNSMOS does not get the clean sound
    others = set(SCORES) - {name}
    assert all(np.isnan(score_all(SHORT, SHORT, names=[name])[other]) for other in others)


@needs["pesq"]
def test_pesq_of_the_sound_itself_is_the_formula_s():
    assert abs(pesq(SHORT, SHORT) - (0.999 + 4 / (1 + np.exp(-1.3669 * 4.5 + 3.8224)))) < 1e-4


@needs["visqol"]
def test_visqol_of_music_itself_is_the_published_value():
    assert abs(visqol(SHORT, SHORT, kind="music") - 4.732101) < 1e-3


def test_music_has_no_speech_scores(hiss):
    scores = score_all(SHORT, SHORT + hiss, kind="music")
    assert all(
        np.isnan(value) for name, value in scores.items() if "music" not in SCORES[name].kinds
    )


def test_what_cannot_be_scored_is_nan_or_a_sentence():
    for score in (pesq, visqol, estoi):
        assert np.isnan(score(SHORT, 0 * SHORT)), score
    for wrong in (SHORT[None], SHORT[:0], np.full(100, np.nan)):
        with pytest.raises(InputError):
            pesq(SHORT, wrong)
    assert 1 <= dnsmos(0 * SHORT) <= 5 if "dnsmos" not in missing_scores() else True


TINY = dict(
    representations=["waveform", "log_magnitude", AVERAGED],
    snrs_db=(0, 30),
    repeats=2,
    seconds=1.2,
    workers=1,
    quiet=True,
)


@pytest.fixture
def cheap(monkeypatch):
    "Only scores that cost nothing; and the kind of sound at each call."
    calls = []

    def score(clean, found, *, rate, kind, names):
        calls.append(kind)
        return {
            name: float(np.corrcoef(clean, found)[0, 1]) if name in ("estoi", "visqol") else np.nan
            for name in SCORES
        }

    monkeypatch.setattr(study, "score_all", score)
    return calls


def test_a_study_and_what_it_leaves(cheap, tmp_path):
    music = tmp_path / "piano piece.wav"
    soundfile.write(music, soundfile.read(DATA / "piano" / "minuet.flac", frames=30000)[0], RATE)
    out = robustness(["slt"], tmp_path / "out", music=[music], **TINY)
    rows = read_scores(out)
    want = study_plan(
        ["slt", "piano piece"], TINY["representations"], [(512, 128)], snrs_db=(0, 30), repeats=2
    )
    assert [study._point(r) for r in rows] == want and len(rows) == 2 * 14 == len(cheap)
    assert {r["kind"] for r in rows if r["recording"] == "slt"} == {"speech"}
    assert all(np.isnan(r["pesq_mos"]) and np.isfinite(r["estoi"]) for r in rows)
    assert all((out / r["audio"]).stat().st_size > 1000 for r in rows if r["repeat"] == 0)
    loud = [soundfile.read(out / r["audio"])[0] for r in rows if r["audio"]]
    assert all(np.abs(wave).max() < 1.2 and len(wave) >= RATE for wave in loud)  # MP3 overshoots
    page = (out / "index.html").read_text()
    assert all(r["audio"] in page for r in rows if r["audio"]) and "http" not in page
    for kind in ("speech", "music"):
        assert (out / f"curves_{kind}_512_128.png").read_bytes()[:4] == b"\x89PNG"
    assert not [p for p in out.rglob("*") if p.name.startswith(".")]


def test_a_study_stopped_anywhere_resumes(cheap, tmp_path):
    whole = (robustness(["slt"], tmp_path / "whole", **TINY) / TABLE).read_bytes()
    out = robustness(["slt"], tmp_path / "again", **TINY)
    for cut in (whole.index(b"\n") + 1, len(whole) // 2, len(whole) - 1):
        (out / TABLE).write_bytes(whole[:cut])
        cheap.clear()
        robustness(["slt"], out, **TINY)
        assert (out / TABLE).read_bytes() == whole
        assert len(cheap) == 14 - whole[:cut].count(b"\n") + 1
    cheap.clear()
    robustness(["slt"], out, **TINY)
    assert not cheap


def test_a_failure_keeps_what_was_done(cheap, tmp_path, monkeypatch):
    score, calls = study.score_all, []

    def failing(*args, **options):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return score(*args, **options)

    monkeypatch.setattr(study, "score_all", failing)
    with pytest.raises(KeyboardInterrupt):
        robustness(["slt"], tmp_path / "out", **TINY)
    assert len(read_scores(tmp_path / "out")) == 5
    robustness(["slt"], tmp_path / "out", **TINY)
    assert len(read_scores(tmp_path / "out")) == 14


@pytest.mark.parametrize(
    "change",
    [
        dict(seed=1),
        dict(snrs_db=(0, 20)),
        dict(repeats=3),
        dict(raw=False),
        dict(seconds=1.0),
        dict(representations=["waveform"]),
        dict(setups=[(512, 64)]),
    ],
)
def test_other_settings_are_refused(cheap, tmp_path, change):
    small = TINY | dict(representations=["waveform", AVERAGED])
    before = (robustness(["slt"], tmp_path / "out", **small) / TABLE).read_bytes()
    with pytest.raises(InputError, match="other"):
        robustness(["slt"], tmp_path / "out", **small | change)
    assert (tmp_path / "out" / TABLE).read_bytes() == before


def test_bad_input_is_a_sentence(cheap, tmp_path):
    silent, text, short = tmp_path / "silent.wav", tmp_path / "text.wav", tmp_path / "short.wav"
    soundfile.write(silent, np.zeros(RATE), RATE)
    soundfile.write(short, np.ones(100), RATE)
    text.write_text("no sound")
    for wavs, options, word in (
        ([silent], {}, "silent"),
        ([text], {}, "text.wav"),
        ([short], {}, "half a second"),
        ([tmp_path / "none.wav"], {}, "none.wav"),
        (["slt", "slt"], {}, "same name"),
        (["slt"], dict(representations=["log_magnitud"]), "did you mean"),
        (["slt"], dict(setups=[(512, 100)]), "hop"),
        (["slt"], dict(repeats=0), "repeats"),
        (["slt"], dict(snrs_db=[]), "SNR"),
    ):
        with pytest.raises(InputError, match=word):
            robustness(wavs, tmp_path / f"out {word}", **TINY | options)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="something else"):
        robustness(["slt"], tmp_path / "mine", **TINY)
    out = robustness(["slt"], tmp_path / "broken", **TINY | dict(representations=["waveform"]))
    (out / "settings.json").write_text("{")
    with pytest.raises(InputError, match="settings.json"):
        robustness(["slt"], out, **TINY)
    (out / "settings.json").write_text(json.dumps([]))
    with pytest.raises(InputError):
        robustness(["slt"], out, **TINY)


def test_a_missing_package_is_said_once_and_its_column_is_empty(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        study, "missing_scores", lambda: [name for name in SCORES if name != "pesq"]
    )
    out = robustness(
        ["slt"], tmp_path / "out", **TINY | dict(representations=["waveform"], repeats=1)
    )
    said = capsys.readouterr()
    assert (said.out + said.err).count("visqol is not installed") == 1
    rows = read_scores(out)
    assert all(np.isnan(r["visqol_mos"]) and np.isfinite(r["pesq_mos"]) for r in rows)
    assert rows[-1]["pesq_mos"] > rows[1]["pesq_mos"]


def test_several_processes_make_the_same_table(tmp_path, monkeypatch):
    monkeypatch.setattr(
        study, "missing_scores", lambda: [name for name in SCORES if name != "pesq"]
    )
    small = TINY | dict(representations=["waveform", AVERAGED], snrs_db=(10, 20, 30, 40))
    one = robustness(["slt"], tmp_path / "one", **small)
    two = robustness(["slt"], tmp_path / "two", **small | dict(workers=2))
    assert (one / TABLE).read_bytes() == (two / TABLE).read_bytes()


def test_the_curve_is_the_mean_and_its_interval(tmp_path):
    rows = [
        dict(snr_db=s, repeat=k, estoi=v + 0.1 * r, recording=str(r))
        for s, values in ((0.0, (1, 2, 3)), (10.0, (4, 4, 4)))
        for k, v in enumerate(values)
        for r in range(2)
    ]
    snrs_db, mean, half = curve(rows, "estoi")
    assert np.allclose(snrs_db, [0, 10]) and np.allclose(mean, [2.05, 4.05])
    assert np.allclose(half, [4.302653 / np.sqrt(3), 0], atol=1e-5)


def test_the_panel_shows_every_point(cheap, tmp_path):
    widget = panel(robustness(["slt"], tmp_path / "out", **TINY))
    top, below, shown = widget.children
    representation, component, snr_db = below.children
    for name in TINY["representations"]:
        representation.value = name
        for level in snr_db.options:
            snr_db.value = level
            assert not any(o["output_type"] == "error" for o in shown.outputs)
