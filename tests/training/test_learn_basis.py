# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Learned bases: any length, silence, exact inverses, resumed to the bit, closed forms, uses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import tensorflow as tf

from audiosynth.cli import main
from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips, prepare
from audiosynth.evaluation.basis_atlas import note_precision, restored, si_sdr_db
from audiosynth.gan.trained_model import load_model
from audiosynth.representations.filterbank import (
    by_distance,
    by_frequency,
    condition_number,
    density,
    figures,
    frame_bounds,
    inverse_distance,
    noise_gain_db,
    scale_distance,
)
from audiosynth.representations.learned_basis import (
    LearnedBasis,
    basis_of,
    cosine_basis,
    for_clips,
    synthesised,
)
from audiosynth.representations.registry import (
    FILE,
    REPRESENTATIONS,
    convert,
    from_config,
    load_basis,
    load_representation,
    same,
)
from audiosynth.robustness.noise import noise_at_snr, noisy_sounds, study_plan
from audiosynth.robustness.plots import read_scores
from audiosynth.training.basis_losses import BASES, choose_basis
from audiosynth.training.basis_model import build_basis
from audiosynth.training.doctor import examine
from audiosynth.training.learn_basis import load_trained, train_basis
from audiosynth.training.runs import Run, read_arrays
from audiosynth.training.train import train

pytestmark = pytest.mark.usefixtures("as_in_training")
SMALL = dict(filters=16, batch=2, quiet=True, say=lambda line: None)
RNG = np.random.default_rng(0)


def sine_frame(window=32):
    "Orthonormal cosines with a sine window, each with both signs: half overlapping, a tight frame."
    turn = np.pi / window * np.outer(np.arange(window) + 0.5, np.arange(window))
    cosines = (
        np.cos(turn)
        * np.sqrt(np.where(np.arange(window), 2, 1) / window)
        * np.sin(np.pi * (np.arange(window) + 0.5) / window)[:, None]
    )
    return np.concatenate([cosines, -cosines], 1)


@pytest.mark.parametrize("window,hop", [(32, 16), (16, 16), (48, 16), (33, 8), (40, 16)])
def test_any_length_has_a_whole_number_of_frames_and_comes_back_as_long(window, hop):
    for samples in (1, 2, hop - 1, hop, hop + 1, window, window + 1, 1000, 4096, 4099):
        wave = RNG.normal(size=(2, samples)).astype("float32")
        basis = cosine_basis(window=window, hop=hop, samples=samples)
        code = basis.encode(wave)
        assert basis.shape == code.shape[1:] == (-(-samples // hop), 2 * window)
        assert np.abs(basis.decode(code) - wave).max() < 1e-5
        random = basis_of(*RNG.normal(size=(2, window, 12)), hop=hop, samples=samples)
        assert random.decode(random.encode(wave)).shape == (2, samples)


def test_the_code_is_what_the_formula_says():
    encoder, decoder, wave = (
        RNG.normal(size=(32, 7)),
        RNG.normal(size=(32, 7)),
        RNG.normal(size=(1, 50)),
    )
    padded = np.pad(wave[0], (8, 64))
    code = np.array([np.maximum(padded[16 * m : 16 * m + 32] @ encoder, 0) for m in range(4)])
    sound = np.zeros(200)
    for m in range(4):
        sound[16 * m : 16 * m + 32] += decoder @ code[m]
    basis = basis_of(encoder, decoder, hop=16, samples=50, unit=3.0)
    assert np.allclose(basis.encode(wave)[0] * 3, code, atol=1e-5)
    assert np.allclose(basis.decode(code[None] / 3)[0], sound[8:58], atol=1e-4)


def test_silence_is_silence_to_the_bit():
    basis = basis_of(*RNG.normal(size=(2, 32, 64)), hop=16, samples=1000)
    assert (
        not basis.encode(np.zeros((2, 1000))).numpy().any()
        and not basis.decode(np.zeros((2, *basis.shape))).numpy().any()
    )


def test_a_tight_frame_is_its_own_inverse():
    frame, wave = sine_frame(), RNG.normal(size=(2, 1000)).astype("float32")
    basis = basis_of(frame, frame, hop=16, samples=1000)
    found = basis.decode(basis.encode(wave)).numpy()
    assert (
        np.abs(found - wave)[:, 8:-16].max() < 1e-5 and np.abs(found - wave).max() > 0.01
    )  # the edges are in one frame only


def test_gradients_go_through_there_and_back():
    encoder, decoder = RNG.normal(size=(2, 32, 9)) / 6
    wave, way = RNG.normal(size=(2, 1, 100))
    basis = basis_of(encoder, decoder, hop=16, samples=100)
    with tf.GradientTape() as tape:
        x = tf.constant(wave, tf.float32)
        tape.watch(x)
        total = tf.reduce_sum(basis.decode(basis.encode(x)) ** 2)

    def exact(wave):  # the same in float64
        padded, out = np.pad(wave[0], (8, 24)), np.zeros(140)
        for m in range(7):
            out[16 * m : 16 * m + 32] += decoder @ np.maximum(
                encoder.T @ padded[16 * m : 16 * m + 32], 0
            )
        return (out[8:108] ** 2).sum()

    slope = (exact(wave + 1e-6 * way) - exact(wave - 1e-6 * way)) / 2e-6
    assert abs(float(tf.reduce_sum(tape.gradient(total, x) * way)) - slope) < 1e-3 * abs(slope)


def test_it_is_saved_and_found_to_the_bit(tmp_path):
    basis = basis_of(*RNG.normal(size=(2, 32, 24)), hop=16, samples=500, unit=1.7)
    basis.save(tmp_path)
    found = load_representation(tmp_path)
    assert (
        type(found) is LearnedBasis
        and same(found, basis)
        and all(np.array_equal(found.statistics[k], v) for k, v in basis.statistics.items())
    )
    assert convert(x := basis.encode(np.ones((1, 500))), basis, found) is x
    saved = json.loads((tmp_path / FILE).read_text())
    for damage in (
        lambda s: s["statistics"].pop("decoder"),
        lambda s: s["statistics"].update(encoder=[[1.0]]),
        lambda s: s["options"].update(filters=25),
    ):
        broken = json.loads(json.dumps(saved))
        damage(broken)
        with pytest.raises(InputError, match="damaged"):
            from_config(broken)


def test_what_has_no_filters_or_another_rate_says_so(tmp_path):
    for what in (lambda: LearnedBasis().fit([np.zeros((1, 2**14))]), lambda: load_basis(tmp_path)):
        with pytest.raises(InputError, match="audiosynth train basis_plain"):
            what()
    with pytest.raises(InputError, match="--rate 16000"):
        for_clips(cosine_basis(), samples=100, rate=8000)
    with pytest.raises(InputError, match="needs"):
        cosine_basis().encode(np.zeros((1, 10)))
    REPRESENTATIONS["waveform"]().save(tmp_path)
    with pytest.raises(InputError, match="waveform, not a learned basis"):
        load_basis(tmp_path)


@pytest.mark.parametrize("row", BASES)
def test_a_run_stopped_anywhere_ends_in_the_same_bits(row, tmp_path, two_critic_updates):
    train_basis(row, "piano", tmp_path / "whole", steps=5, save_every=1, **SMALL)
    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    run = Run(tmp_path / "stopped")
    for stop in np.random.default_rng([*row.encode()]).choice(np.arange(1, 5), 2, replace=False):
        for later in run.checkpoints():
            if later > stop:
                run.checkpoint(later).unlink()
        train_basis(row, "piano", run.folder, steps=5, save_every=1, **SMALL)
        one, two = (
            read_arrays(Run(tmp_path / name).checkpoint(5))[0] for name in ("whole", "stopped")
        )
        assert one.keys() == two.keys() and all(
            np.array_equal(one[name], two[name]) for name in one
        )
    first = read_arrays(Run(tmp_path / "whole").checkpoint(0))[0]
    assert all(not np.array_equal(one[f"basis/00{i}"], first[f"basis/00{i}"]) for i in (0, 1))
    assert (tmp_path / "whole" / "log.csv").read_text() == (
        tmp_path / "stopped" / "log.csv"
    ).read_text()
    assert (tmp_path / "whole" / "model" / FILE).read_bytes() == (
        tmp_path / "stopped" / "model" / FILE
    ).read_bytes()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    "Sixty updates of a small basis on the piano."
    folder = tmp_path_factory.mktemp("trained") / "mine"
    train_basis(
        "basis_plain", "piano", folder, steps=60, filters=64, quiet=True, say=lambda line: None
    )
    return folder


def test_it_learns_and_fits_the_code_to_its_unit(trained):
    clips, made = load_clips("piano"), load_trained(trained)
    waves = clips.waves(clips.where("test")[:8])
    start = build_basis(choose_basis("basis_plain", filters=64), clips).trained({}).representation
    before, after = (
        np.nanmean(si_sdr_db(waves, np.asarray(b.decode(b.encode(waves)))))
        for b in (start, made.representation)
    )
    assert after > before + 6 and after > 3
    assert (
        0.3
        < made.representation.encode(clips.waves(clips.where("train")[::20])).numpy().max()
        <= 1.0 + 1e-5
    )
    assert made.generate(3).shape == (3, clips.samples) and "60 updates on piano" in repr(made)


def test_a_frozen_encoder_stays_and_its_notes_can_be_measured(tmp_path):
    train_basis("basis_classifier", "piano", tmp_path / "run", steps=2, frozen=True, **SMALL)
    first, last = (read_arrays(Run(tmp_path / "run").checkpoint(k))[0] for k in (0, 2))
    assert np.array_equal(first["basis/000"], last["basis/000"]) and not np.array_equal(
        first["basis/001"], last["basis/001"]
    )
    model, data = restored(tmp_path / "run")
    precision, base = note_precision(model, load_clips(data))
    assert (
        precision.shape == base.shape
        and (0 < base).all()
        and (base < 0.2).all()
        and (precision <= 1).all()
    )


def test_si_sdr_is_the_formula():
    clean, rest = RNG.normal(size=(2, 3, 1000))
    rest -= (rest * clean).sum(1, keepdims=True) / (clean**2).sum(1, keepdims=True) * clean
    found = si_sdr_db(clean, -2 * clean + 0.2 * rest)
    assert (
        np.allclose(found, 10 * np.log10(4 * (clean**2).sum(1) / (0.04 * (rest**2).sum(1))))
        and np.isnan(si_sdr_db(clean * 0, rest)).all()
    )


def test_centres_bandwidths_and_orders_are_those_of_known_filters():
    hz, window = (
        np.array([1000.0, 3000.0, 5000.0]),
        0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64),
    )
    filters = np.cos(2 * np.pi * np.outer(np.arange(64), hz) / 16000) * window[:, None]
    known = figures(basis_of(filters, filters, hop=16))
    assert np.abs(np.array(known["encoder"]["centre_hz"]) - hz).max() < 40
    assert np.abs(np.array(known["encoder"]["bandwidth_hz"]) / (1.5 * 16000 / 64) - 1).max() < 0.05
    assert (
        known["condition"] is None and known["redundancy"] == 3 / 16
    )  # three filters cannot tell sixteen samples apart
    assert by_frequency(filters[:, [2, 0, 1]]).tolist() == [1, 2, 0]
    ordered = by_distance(np.eye(3) * [3, 1, 2])
    assert ordered.tolist() == [1, 2, 0]
    found = density(np.linspace(0, 8000, 512))
    assert (
        abs(found["found"] - found["linear"]).max() <= 1 and found["mel"][0] > found["erb"].mean()
    )
    assert (
        min(
            scale_distance(np.linspace(0, 8000, 512)),
            key=scale_distance(np.linspace(0, 8000, 512)).get,
        )
        == "linear"
    )


def test_frame_bounds_are_the_eigenvalues_of_a_matrix():
    filters, blocks = RNG.normal(size=(32, 40)), 32
    ring = np.zeros((40 * blocks, 16 * blocks))
    for m in range(blocks):
        for i in range(32):
            ring[40 * m : 40 * (m + 1), (16 * m + i) % (16 * blocks)] = filters[i]
    values = np.linalg.svd(ring, compute_uv=False) ** 2
    low, high = frame_bounds(filters, hop=16)
    assert abs(values.min() / low - 1) < 0.02 and abs(values.max() / high - 1) < 0.02
    frame = sine_frame()
    assert (
        np.allclose(frame_bounds(frame, hop=16), 2)
        and abs(condition_number(frame, hop=16) - 1) < 1e-9
    )  # each cosine twice


def test_the_pseudo_inverse_has_no_distance_and_shuffled_filters_have():
    encoder = RNG.normal(size=(16, 24))  # hop = window: frame by frame
    distance, factor = inverse_distance(encoder, np.linalg.pinv(encoder.T), hop=16)
    assert distance < 1e-6 and abs(factor - 1) < 1e-9
    assert (
        inverse_distance(encoder, np.linalg.pinv(encoder.T)[:, RNG.permutation(24)], hop=16)[0]
        > 0.5
    )
    frame = sine_frame()
    assert np.allclose(inverse_distance(frame, 3 * frame, hop=16), (0, 6), atol=1e-6)


def test_noise_gain_is_what_noise_does():
    wave, frame = RNG.normal(size=(4, 4000)), sine_frame()
    cosines, random = frame[:, :32], RNG.normal(size=(32, 40))
    framed = np.lib.stride_tricks.sliding_window_view(np.pad(wave, [(0, 0), (8, 8)]), 32, axis=1)[
        :, ::16
    ]
    assert (
        abs(noise_gain_db(wave, framed @ cosines, cosines, hop=16) - 10 * np.log10(2)) < 0.1
    )  # redundancy 2

    def decoded(x, decoder):
        arrays = x.astype("float32"), decoder.astype("float32")
        return synthesised(*arrays, hop=16, samples=4000).numpy()

    for decoder in (cosines, random[:, :32]):
        code = framed @ cosines
        noisy = noise_at_snr(code, 10, rng=RNG) + code
        rest = decoded(noisy, decoder) - decoded(code, decoder)
        assert (
            abs(
                10 * np.log10((wave**2).mean() / (rest**2).mean())
                - 10
                - noise_gain_db(wave, code, decoder, hop=16)
            )
            < 0.2
        )


def log_of(l1, gradient=1.0):
    n = len(l1)
    return {
        "step": np.arange(10, 10 * n + 1, 10.0),
        "l1": np.asarray(l1),
        "basis_gradient": np.broadcast_to(gradient, n),
    }


def test_the_doctor_knows_a_basis():
    def names(log):
        return {f.name: f.words for f in examine(log, objective="basis")}

    assert (
        "falling" in names(log_of(np.exp(-np.arange(200) / 100)))["how far"]
        and "flat" in names(log_of(np.ones(200)))["how far"]
    )
    assert (
        "basis stands still" in names(log_of(np.ones(50), np.r_[np.ones(25), np.zeros(25)]))
        and "too early" in names(log_of(np.ones(50)))["how far"]
    )
    assert any(
        name.startswith("basis exploding")
        for name in names(log_of(np.ones(50), np.r_[np.ones(25), 1000 * np.ones(25)]))
    )


def command(capsys, *words):
    "What a command said."
    main([str(word) for word in words])
    return capsys.readouterr().out


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("audiosynth:")]
    assert stopped.value.code == 2 and len(said) == 1
    return said[0]


def test_the_command_learns_and_shows(tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "atlas"
    said = command(
        capsys,
        "train",
        "basis_plain",
        "--data",
        "piano",
        "--out",
        run,
        "--steps",
        3,
        "--filters",
        16,
        "--batch",
        2,
    )
    assert "3 updates on piano" in said and "audiosynth bases" in said
    assert "condition number" in command(capsys, "bases", run, "--out", out)
    found = json.loads((out / "atlas.json").read_text())
    assert (
        found["redundancy"] == 1
        and len(found["encoder"]["centre_hz"]) == len(found["decoder"]["bandwidth_hz"]) == 16
        and found["updates"] == 3
    )
    assert {p.suffix for p in out.iterdir()} == {".png", ".json", ".wav", ".html"} and "<audio" in (
        out / "index.html"
    ).read_text()
    assert sf.info(out / "00-reconstruction.wav").frames == 2**14


def test_bad_words_are_refused_in_one_line(trained, tmp_path, capsys):
    new = tmp_path / "new"
    assert "basis_plain" in refused(capsys, "train", "basis_plane", "--out", new)
    assert "--width" in refused(capsys, "train", "basis_plain", "--width", 4, "--out", new)
    assert "--filters" in refused(capsys, "train", "wave", "--filters", 4, "--out", new)
    assert "filters 0" in refused(capsys, "train", "basis_plain", "--filters", 0, "--out", new)
    assert "none" in refused(capsys, "train", "basis_classifier", "--data", "digits", "--out", new)
    assert "row basis_plain" in refused(
        capsys, "train", "basis_critic", "--data", "piano", "--out", trained
    )
    assert "filters 64" in refused(
        capsys, "train", "basis_plain", "--data", "piano", "--filters", 32, "--out", trained
    )
    assert "another kind" in refused(capsys, "train", "wave", "--data", "piano", "--out", trained)
    assert "basis_gan" in refused(capsys, "generate", trained) and "basis_gan" in refused(
        capsys, "generate", trained, "--step", 60
    )
    assert "--basis BASIS" in refused(capsys, "train", "basis_gan", "--data", "piano", "--out", new)
    assert "waveform" in refused(
        capsys, "train", "wave", "--data", "piano", "--basis", trained, "--out", new
    )
    assert "no learned basis" in refused(
        capsys, "train", "basis_gan", "--data", "piano", "--basis", tmp_path, "--out", new
    )
    assert "no learned basis" in refused(
        capsys, "bases", tmp_path, "--out", new
    ) and "no learned basis" in refused(
        capsys, "robustness", "slt", "--bases", tmp_path, "--out", new
    )
    assert not new.exists()


def test_clips_that_do_not_go_with_it_are_refused(trained, tmp_path, capsys):
    (tmp_path / "from").mkdir()
    for i in range(4):
        sf.write(tmp_path / "from" / f"{i}.wav", RNG.normal(0, 0.1, 8000), 8000)
    prepare("folder", tmp_path / "slow", from_=tmp_path / "from", samples=4096, rate=8000)
    prepare("folder", tmp_path / "short", from_=tmp_path / "from", samples=1024, rate=16000)
    prepare("folder", tmp_path / "quarter", from_=tmp_path / "from", samples=4096, rate=16000)
    assert "--rate 16000" in refused(
        capsys,
        "train",
        "basis_gan",
        "--data",
        tmp_path / "slow",
        "--basis",
        trained,
        "--out",
        tmp_path / "new",
    )
    assert "at least 2048" in refused(
        capsys, "train", "basis_plain", "--data", tmp_path / "short", "--out", tmp_path / "new"
    )
    assert "multiple of 16384" in refused(
        capsys,
        "train",
        "basis_gan",
        "--data",
        tmp_path / "quarter",
        "--basis",
        trained,
        "--out",
        tmp_path / "new",
    )


def test_a_basis_takes_part_in_the_robustness_study(trained, tmp_path, capsys):
    grid = study_plan(
        ["slt"],
        ["waveform", "mine"],
        [(512, 128)],
        snrs_db=(0, 20),
        repeats=1,
        bases={"mine": load_basis(trained)},
    )
    assert [p.component for p in grid if p.representation == "mine"] == [
        "none",
        "all",
        "all",
    ] and all(p.frame == 0 for p in grid)
    wave = load_clips("piano").waves([3])[0][:5000]
    cosine = cosine_basis()
    clean, *noisy = noisy_sounds(
        wave,
        [p._replace(representation="cosine") for p in grid if p.representation == "mine"],
        bases={"cosine": cosine},
    )
    gain = noise_gain_db(
        wave[None],
        for_clips(cosine, samples=5000, rate=16000).encode(wave[None]),
        cosine.statistics["decoder"],
        hop=16,
    )
    assert np.abs(clean - wave).max() < 1e-5
    assert [
        10 * np.log10((wave**2).mean() / ((n - wave) ** 2).mean()) for n in noisy
    ] == pytest.approx([gain, 20 + gain], abs=0.3)
    out = tmp_path / "study"
    words = [
        "robustness",
        "slt",
        "--out",
        out,
        "--representations",
        "waveform",
        "--snrs=10",
        "--repeats",
        1,
        "--seconds",
        0.6,
        "--workers",
        1,
        "--bases",
        trained,
    ]
    command(capsys, *words)
    rows = read_scores(out)
    assert {(r["representation"], r["snr_db"]) for r in rows} == {
        ("waveform", np.inf),
        ("waveform", 10.0),
        ("mine", np.inf),
        ("mine", 10.0),
    } and "mine" in (out / "index.html").read_text()
    twice = Path(shutil.copytree(trained, tmp_path / "waveform"))
    assert "rename" in refused(capsys, *words[:-1], twice)


def test_a_gan_learns_in_a_basis_and_needs_nothing_else(
    trained, tmp_path, capsys, two_critic_updates
):
    words = [
        "train",
        "basis_gan",
        "--data",
        "piano",
        "--out",
        tmp_path / "gan",
        "--width",
        2,
        "--batch",
        2,
        "--save-every",
        1,
    ]
    command(capsys, *words, "--basis", trained, "--steps", 1)
    command(capsys, *words, "--steps", 2)  # resumes without --basis
    whole = tmp_path / "whole"
    train(
        "basis_gan",
        "piano",
        whole,
        basis=trained,
        width=2,
        batch=2,
        steps=2,
        save_every=1,
        quiet=True,
        say=lambda line: None,
    )
    one, two = (read_arrays(Run(folder).checkpoint(2))[0] for folder in (tmp_path / "gan", whole))
    assert all(np.array_equal(one[name], two[name]) for name in one if name != "progress/001")
    basis = load_basis(trained)
    shutil.copytree(tmp_path / "gan" / "model", tmp_path / "alone")
    found = load_model(tmp_path / "alone")
    assert np.array_equal(
        found.representation.statistics["decoder"], basis.statistics["decoder"]
    ) and found.representation.shape == (1024, 64)
    sound = found.generate(2, seed=1)
    assert sound.shape == (2, 2**14) and np.isfinite(sound).all() and sound.std() > 0
    command(capsys, "generate", tmp_path / "alone", "--n", 2, "--out", tmp_path / "sounds")
    assert len(list((tmp_path / "sounds").glob("*.wav"))) == 2
    other = Path(shutil.copytree(trained, tmp_path / "other"))
    basis.statistics["encoder"] = basis.statistics["encoder"] * 2
    basis.save(other / "model")
    assert "another basis" in refused(capsys, *words, "--basis", other, "--steps", 3)
    with pytest.raises(InputError, match="GAN"):
        load_trained(tmp_path / "gan")
