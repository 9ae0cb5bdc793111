# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Rows conditioned on notes, the clip before, or a label: the condition counts, comes from nowhere
else, and is resumed to the bit."""

import functools
import json
import os
import subprocess
import sys

import numpy as np
import pretty_midi
import pytest
import soundfile as sf
import tensorflow as tf
from test_distribute import ended, ports

from audiosynth import cli
from audiosynth.data.clips import KEYS, Clips, pcm16
from audiosynth.data.clips_writer import ClipsWriter
from audiosynth.data.files import InputError
from audiosynth.data.midi import LOWEST
from audiosynth.evaluation.condition_agreement import (
    confusion,
    note_agreement,
    onset_agreement,
    past_agreement,
)
from audiosynth.gan.batches import SEED_OFFSET, batch_elements, dataset
from audiosynth.gan.experiment import Experiment
from audiosynth.gan.rows import CONDITIONAL, ROWS, Row, row_from, select_row
from audiosynth.gan.trained_model import load_model
from audiosynth.generation.babble import babble, clicks, drift, seams_of
from audiosynth.generation.performance import (
    PianoRollPanel,
    as_midi,
    condition_windows,
    crossfade,
    render,
)
from audiosynth.networks.registry import generator
from audiosynth.training.runs import (
    Run,
    model_at,
    named_variables,
    read_arrays,
    read_checkpoint,
    write_checkpoint,
)
from audiosynth.training.train import train

SAMPLES, STATES, RATE = 2**12, 128, 16000
GIVEN = [
    (row, condition) for row in ROWS for condition in ("midi", "previous") if row != "wave_rwd"
]
pytestmark = pytest.mark.usefixtures("as_in_training", "two_critic_updates")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    "Three recordings of eight clips: in each clip another key, its tone, and a label."
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("keys") / "data"
    with ClipsWriter(
        folder,
        rate=RATE,
        samples=SAMPLES,
        source="keys",
        licence="",
        labels=["low", "high"],
        states=STATES,
    ) as writer:
        for recording in range(3):
            for i in range(8):
                key, start = int(rng.integers(30, 60)), int(rng.integers(0, STATES // 2))
                roll, t = np.zeros((STATES, KEYS), "uint8"), np.arange(SAMPLES) / RATE
                roll[start:, key] = 80
                wave = 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((key + LOWEST - 69) / 12) * t) * (
                    t >= start / STATES * SAMPLES / RATE
                ) + rng.normal(0, 0.003, SAMPLES)
                writer.add(
                    pcm16(wave),
                    roll=roll,
                    label=["low", "high"][key > 44],
                    group=f"r{recording}",
                    split=min(recording, 1),
                    start=i * SAMPLES,
                    previous=len(writer) - 1 if i else -1,
                )
    return Clips(folder)


@functools.cache  # representations do not depend on the condition
def fitted(folder, row):
    experiment = Experiment(row, select_row(row), Clips(folder)).fit()
    return experiment.representation, experiment.critic_representations


def made(clips, row, **changes):
    small = select_row(row, width=2, batch=2, **changes)
    return Experiment(row, small, clips, 3, *fitted(clips.folder, row)).build()


def advance(gan, clips, steps):
    gan.fit(dataset(gan, clips, batch=2, seed=3), steps_per_epoch=steps, verbose=0, shuffle=False)


def state(gan):
    return {name: np.array(v) for name, v in named_variables(gan).items()}


def same(one, two):
    return one.keys() == two.keys() and all(np.array_equal(one[k], two[k]) for k in one)


@pytest.mark.parametrize("row, condition", GIVEN)
def test_every_combination_that_makes_sense_builds_and_reacts(row, condition, clips):
    gan = made(clips, row, condition=condition)
    raw, n = gan.examples[:2], len(gan.examples[:2])
    condition, z = gan.encode_condition_for(0, raw), tf.zeros((n, 64))
    one, other = gan.generator([z, condition]), gan.generator([z, tf.reverse(condition, [0])])
    assert one.shape[1:] == gan.representation.shape and not np.allclose(one, other)
    for i, converted in enumerate(gan.convert_for_critics(one)):
        own, network = gan.encode_condition_for(i + 1, raw), gan.critic_networks[i]
        scores = network([converted, own]), network([converted, tf.reverse(own, [0])])
        assert not np.allclose(*scores), i


def test_the_named_rows_and_those_that_make_no_sense():
    assert set(CONDITIONAL) == {
        "wave_mag_midi",
        "wave_mag_previous",
        "stft_mag_midi",
        "stft_mag_previous",
        "mel_midi",
    }
    assert all(select_row(row).batch == 32 for row in CONDITIONAL if not row.startswith("mel"))
    for row in ROWS:
        assert select_row(row, condition="label").labels
    assert (
        not select_row("digit", condition="midi").labels
        and select_row("digit", condition="none").condition == "" == select_row("wave").condition
    )
    for condition in ("midi", "previous"):
        with pytest.raises(InputError, match="wave_rwd.*windows of 240 to 3600"):
            select_row("wave_rwd", condition=condition)
    with pytest.raises(InputError, match="mdi.*did you mean 'midi'"):
        select_row("wave", condition="mdi")
    with pytest.raises(InputError, match="gan_tts.*wavegan"):
        generator((2**12, 1), network="gan_tts", width=2, condition_shape=(256, KEYS))
    old = dict(published="x", representation="waveform", network="wavegan", labels=True)
    assert row_from(Row, old).condition == "label"
    assert row_from(Row, {**old, "labels": False}).condition == ""


@pytest.mark.parametrize(
    "network, shape", [("wavegan", (2**12, 1)), ("specgan", (32, 64, 2)), ("compact", (32, 32, 1))]
)
def test_a_note_moves_the_sound_where_it_stands(network, shape):
    "Of two rolls that differ in one short stretch, the generated clips differ most around it."
    g = generator(shape, network=network, width=2, condition_shape=(256, KEYS))
    for at in (150, 230):
        one = np.zeros((1, 256, KEYS), "float32")
        other = one.copy()
        other[:, at : at + 4, 40] = 1
        differ = np.abs(
            g([tf.ones((1, 64)), tf.constant(one)]) - g([tf.ones((1, 64)), tf.constant(other)])
        )
        differ = differ.reshape(shape[0], -1).mean(1)
        place = (np.arange(len(differ)) * differ).sum() / differ.sum() / len(differ)
        assert abs(place - (at - 128) / 128) < 0.25, (network, at, place)


def test_generated_conditions_are_the_whole_split_in_an_order_of_their_own(clips):
    options = dict(batch=2, updates=2, condition="midi")
    stream = batch_elements(clips, **options, replicas=1, first=0, here=1, seed=3)
    elements = [next(stream) for _ in range(8)]
    assert (
        elements[0]["condition"].shape == (4, 2 * STATES, KEYS)
        and elements[0]["generated_condition"].shape == (6, 2 * STATES, KEYS)
        and elements[0]["generated_condition"].dtype == np.uint8
    )
    again = next(batch_elements(clips, **options, replicas=1, first=0, here=1, seed=3, start=5))
    assert all(np.array_equal(again[name], elements[5][name]) for name in again)
    others = np.concatenate(
        [e["generated_condition"] for e in elements]
    )  # 48 of 8 clips: each six times
    train = clips.where("train")
    counts = [sum(np.array_equal(a, h) for a in others) for h in clips.histories(train)]
    assert counts == [6] * len(train)
    rows, others = clips.indices(0, 4000, seed=3), clips.indices(0, 4000, seed=3 + SEED_OFFSET)
    assert (
        abs(np.mean(rows == others) - 1 / len(train)) < 0.02
    )  # independent: as often the same as chance has it
    for e, step in zip(elements, range(8)):
        assert np.array_equal(e["condition"], clips.histories(clips.indices(step, 4, seed=3)))
    each = [
        next(batch_elements(clips, **options, replicas=2, first=r, here=1, seed=3, start=5))
        for r in range(2)
    ]
    for name, n in (("condition", 2), ("generated_condition", 3)):
        assert np.array_equal(
            np.stack([e[name] for e in each], 1).reshape(2 * n, *again[name].shape[1:]), again[name]
        )


def test_no_condition_comes_from_another_recording(clips):
    rows = np.arange(len(clips))
    past, histories = clips.pasts(rows), clips.histories(rows)
    for i in rows:
        if i % 8 == 0:
            assert not past[i].any() and not histories[i, :STATES].any()
        else:
            assert np.array_equal(
                past[i], clips.waves([i - 1])[0, SAMPLES // 2 :]
            ) and np.array_equal(histories[i, :STATES], clips.rolls([i - 1])[0])
    assert np.array_equal(histories[:, STATES:], clips.rolls(rows))


def test_the_pair_moves_with_one_alpha_and_has_one_penalty(clips):
    "The penalty of the trainer is that of the joint gradient, at points between whole pairs."
    gan = made(clips, "wave", condition="midi")
    rng = np.random.default_rng(0)
    real, fake = (
        [
            tf.constant(rng.normal(size=(2, SAMPLES, 1)), tf.float32),
            tf.constant(rng.uniform(size=(2, 2 * STATES, KEYS)), tf.float32),
        ]
        for _ in range(2)
    )
    alpha = tf.constant([0.25, 0.75])
    middle = [r + tf.reshape(alpha, (2, 1, 1)) * (f - r) for r, f in zip(real, fake)]
    with tf.GradientTape() as tape:
        tape.watch(middle)
        score = gan.critic_networks[0](middle, training=True)
    x, c = (g.numpy().reshape(2, -1) for g in tape.gradient(score, middle))
    assert np.abs(c).max() > 0
    by_hand = np.mean((np.sqrt((x**2).sum(1) + (c**2).sum(1)) - 1) ** 2)
    assert np.isclose(gan.critic_gradients(0, real, fake, alpha, True)[2], by_hand, rtol=1e-4)


@pytest.mark.own_process
@pytest.mark.parametrize(
    "row, condition", [("wave", "midi"), ("stft_mag", "previous"), ("wave", "label")]
)
def test_a_conditional_row_resumes_to_the_same_bits(row, condition, clips, tmp_path):
    def make():
        return made(clips, row, condition=condition)

    whole = make()
    before = state(whole)
    for step in range(1, 4):
        advance(whole, clips, 1)
        if step == 2:
            write_checkpoint(tmp_path / "2.npz", whole, 0)
    end, again = state(whole), make()
    assert same(before, state(again)) and all(np.isfinite(v).all() for v in end.values())
    assert {name.split("/")[0] for name in end if not np.array_equal(end[name], before[name])} >= {
        "generator",
        *("critic" + s for s in whole.suffixes),
    }
    read_checkpoint(tmp_path / "2.npz", again)
    advance(again, clips, 1)
    assert same(end, state(again))


@pytest.fixture(scope="module")
def trained(clips, tmp_path_factory):
    "A run conditioned on notes, one on the clip before, and one on labels."
    folder = tmp_path_factory.mktemp("trained")
    options = dict(steps=2, save_every=1, width=2, batch=2, objective="r1", quiet=True)
    for condition in ("midi", "previous", "label"):
        train("wave", clips.folder, folder / condition, condition=condition, **options)
    return folder


def test_a_run_is_a_model_that_needs_no_data(trained, clips, tmp_path):
    for condition in ("midi", "previous"):
        model, before = load_model(trained / condition), model_at(trained / condition, 2)
        rows = clips.where("validation")[:3]
        own = clips.histories(rows) if condition == "midi" else clips.pasts(rows)
        one = model.generate(3, conditions=own, seed=1)
        assert np.array_equal(one, before.generate(3, conditions=own, seed=1)) and not np.allclose(
            one, model.generate(3, conditions=own[::-1], seed=1)
        )
        assert model.generate(20).shape == (20, SAMPLES) and {
            "midi": "plays notes",
            "previous": "continues",
        }[condition] in repr(model)
        for bad in (own[:2], own[:, :-1]):
            with pytest.raises(InputError, match="shape"):
                model.generate(3, conditions=bad)
        with pytest.raises(InputError, match="not trained with labels.*takes"):
            model.generate(1, label="low")
    with pytest.raises(InputError, match="not trained with notes.*takes a label"):
        load_model(trained / "label").generate(1, conditions=own[:1])
    with pytest.raises(InputError, match="it says low, high"):
        load_model(trained / "label").generate(1, label="middle")
    with pytest.raises(InputError, match="condition midi, not previous|condition midi"):
        train(
            "wave",
            clips.folder,
            trained / "midi",
            condition="previous",
            steps=3,
            width=2,
            batch=2,
            objective="r1",
            quiet=True,
        )


def test_a_run_from_before_there_were_conditions_goes_on(trained, clips):
    path = trained / "label" / "experiment.json"
    about = json.loads(path.read_text())
    about["experiment"].pop("condition")
    about["experiment"]["labels"] = True  # as 0.1.0 said it
    about.pop("condition")
    about.pop("states")
    path.write_text(json.dumps(about))
    model = train(
        "wave",
        clips.folder,
        trained / "label",
        condition="label",
        steps=3,
        width=2,
        batch=2,
        objective="r1",
        quiet=True,
    )
    assert model.metadata["step"] == 3 and model_at(trained / "label", 1).generate(
        1, label="low"
    ).shape == (1, SAMPLES)


def performance_file(path, seconds, pitches=(60, 64), every=0.5):
    made = pretty_midi.PrettyMIDI()
    made.instruments.append(pretty_midi.Instrument(0))
    made.instruments[0].notes = [
        pretty_midi.Note(80, pitch, t, t + 0.4)
        for t in np.arange(0, seconds, every)
        for pitch in pitches
    ]
    made.write(str(path))
    return path


def test_a_performance_is_as_long_as_it_is_and_its_notes_count(trained, tmp_path):
    model = load_model(trained / "midi")
    file = performance_file(tmp_path / "a.mid", 2)
    for fade_s in (0, 0.032):
        wave = np.concatenate(list(render(model, file, fade_s=fade_s)))
        assert len(wave) == round(2.9 * RATE) and np.allclose(
            wave, np.concatenate(list(render(model, file, fade_s=fade_s, batch=3))), atol=1e-5
        )
    assert not np.allclose(
        wave,
        np.concatenate(
            list(render(model, performance_file(tmp_path / "b.mid", 2, (50,)), fade_s=0.032))
        ),
    )
    said = []
    performance_file(tmp_path / "wide.mid", 2, (60, 10, 120))
    assert (
        len(list(render(model, tmp_path / "wide.mid", say=said.append)))
        and "8 of 12 notes lie outside the 88 keys" in said[0]
        and "10 to 120" in said[0]
    )


def test_three_hours_stream(trained, tmp_path, monkeypatch):
    "The pieces come one by one, long before the whole is done, in the memory of some clips."
    model, file = (
        load_model(trained / "midi"),
        performance_file(tmp_path / "long.mid", 3 * 3600, every=20),
    )
    calls = []
    monkeypatch.setattr(
        type(model),
        "decode",
        lambda self, z, condition, seed: calls.append(1) or np.zeros((len(z), SAMPLES), "float32"),
    )
    pieces = render(model, file, fade_s=0, batch=64)
    first = next(pieces)
    assert len(calls) == 1 and len(first) == SAMPLES
    assert len(first) + sum(map(len, pieces)) == round((3 * 3600 - 20 + 0.4 + 1) * RATE)


@pytest.mark.parametrize(
    "content, why",
    [
        (b"", "empty"),
        (b"no midi at all", "not MIDI"),
        ("none", "no notes"),
        ("drums", "no notes of a piano"),
        ("beyond", "no notes of a piano"),
        (None, "no such file"),
    ],
)
def test_files_without_notes_are_refused(content, why, trained, tmp_path):
    path = tmp_path / "x.mid"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        made = as_midi(
            []
            if content == "none"
            else [pretty_midi.Note(80, 12 if content == "beyond" else 40, 0, 1)]
        )
        made.instruments[0].is_drum = content == "drums"
        made.write(str(path))
    with pytest.raises(InputError, match=f"x.mid.*{why}"):
        render(load_model(trained / "midi"), path)


def test_models_that_were_not_trained_for_it_are_refused(trained, tmp_path):
    with pytest.raises(InputError, match="cannot play notes, it takes the sound before"):
        render(load_model(trained / "previous"), tmp_path / "x.mid")
    with pytest.raises(InputError, match="cannot go on.*it takes notes"):
        babble(load_model(trained / "midi"), 1)
    with pytest.raises(InputError, match="seconds"):
        babble(load_model(trained / "previous"), 0)
    with pytest.raises(InputError, match="not trained with labels"):
        confusion(load_model(trained / "midi"), None)
    with pytest.raises(InputError, match="takes no notice of the past, it takes notes"):
        past_agreement(load_model(trained / "midi"), None, [0], [1])


@pytest.fixture
def audiosynth(capsys):
    "The command, in this process: its exit status, what it said, and its complaints."

    def run(*words):
        try:
            cli.main([*map(str, words)])
        except SystemExit as end:
            status = end.code
        else:
            status = 0
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_the_command_line(audiosynth, trained, clips, tmp_path):
    file = performance_file(tmp_path / "piece.mid", 2)
    status, said, complaints = audiosynth(
        "generate", trained / "midi", "--midi", file, "--out", tmp_path / "out"
    )
    assert status == 0 and sf.info(tmp_path / "out" / "piece.wav").frames == round(2.9 * RATE), (
        complaints
    )
    status, said, complaints = audiosynth(
        "babble",
        trained / "previous",
        "--seconds",
        4,
        "--out",
        tmp_path / "babble.wav",
        "--data",
        clips.folder,
    )
    assert (
        status == 0
        and sf.info(tmp_path / "babble.wav").frames == 4 * RATE
        and "level" in said
        and "real" in said
    ), complaints
    assert (tmp_path / "babble.png").exists() and set(
        json.loads((tmp_path / "babble.json").read_text())
    ) == {"made", "real"}
    for words, why in (
        (("babble", trained / "midi", "--out", tmp_path / "b.wav"), "takes notes"),
        (("generate", trained / "previous", "--midi", file), "cannot play notes"),
        (
            ("train", "wave_mag_midi", "--data", "digits", "--out", tmp_path / "run"),
            "the dataset has none",
        ),
        (
            (
                "train",
                "wave",
                "--condition",
                "previous",
                "--data",
                "digits",
                "--out",
                tmp_path / "run",
            ),
            "no training clip has one",
        ),
    ):
        status, _, complaints = audiosynth(*words)
        lines = [line for line in complaints.splitlines() if line.startswith("audiosynth:")]
        assert (
            status == 2 and len(lines) == 1 and why in lines[0] and "Traceback" not in complaints
        ), complaints


def test_babble_goes_on_from_what_was_said(trained):
    model = load_model(trained / "previous")
    whole = np.concatenate(list(babble(model, 2, fade_s=0)))
    start = np.random.default_rng(0).normal(0, 0.1, SAMPLES).astype("float32")
    assert len(whole) == 2 * RATE and np.array_equal(
        whole[:RATE], np.concatenate(list(babble(model, 1, fade_s=0)))
    )
    assert not np.allclose(whole, np.concatenate(list(babble(model, 2, start=start, fade_s=0))))
    clip = whole[
        SAMPLES : 2 * SAMPLES
    ]  # the second clip is the one that the first one's end asks for
    z = np.random.default_rng([0, 1]).uniform(-1, 1, (1, 64)).astype("float32")
    assert np.allclose(
        clip,
        model.decode(*model.inputs(z, conditions=whole[None, SAMPLES // 2 : SAMPLES]), seed=1)[0],
        atol=1e-6,
    )


def test_seams_and_scores():
    assert len(np.concatenate(list(crossfade(np.zeros((3, 100)), 20)))) == 260 and seams_of(
        260, clip=100, fade=20
    ) == [90, 170, 250]
    jump = np.r_[np.sin(np.arange(2000) / 9), np.sin(np.arange(2000) / 9) + 1.5]
    assert clicks(jump, [2000])[0] > 5 > 2 > clicks(jump, [1000])[0]
    with pytest.raises(InputError, match="second"):
        drift(np.zeros(100))
    roll = np.zeros((1, 64, KEYS), "uint8")
    with pytest.raises(InputError, match="clips with notes"):
        note_agreement(np.zeros((1, SAMPLES)), roll)
    covered = np.zeros(100, int)
    for window in condition_windows(np.arange(100, dtype="uint8").reshape(10, 10, 1), 7):
        covered[window[10:, 0]] += 1
    assert covered.min() >= 1


def test_real_notes_agree_and_shuffled_ones_do_not(clips):
    rows = np.arange(len(clips))
    found = note_agreement(clips.waves(rows), clips.rolls(rows))
    assert found.frames_above.low > 0.2 and found.onsets_above.low > 0 and found.frames.value > 0.9
    late = np.roll(clips.rolls(rows), 40, axis=1)
    assert (
        np.nanmean([onset_agreement(w, r) for w, r in zip(clips.waves(rows), late)])
        < found.onsets.value - 0.1
    )


def test_the_past_is_distinguished_from_anothers(trained, clips):
    "A model that is told its own past twice cannot be; nor is there anything to say of no clips."
    model, rows = load_model(trained / "previous"), np.flatnonzero(clips.previous >= 0)
    assert (
        past_agreement(model, clips, rows, rows).value == 0.5
        and past_agreement(model, clips, rows, np.roll(rows, 5)).value != 0.5
    )
    with pytest.raises(InputError, match="no clips"):
        past_agreement(model, clips, rows[:0], rows[:0])


def test_the_panel(trained, tmp_path):
    panel = PianoRollPanel(load_model(trained / "midi"), performance_file(tmp_path / "a.mid", 1))
    panel.play()
    before, n = panel.wave, len(panel.notes)
    panel.chosen.value, panel.pitch.value = 1, 70
    panel.change()
    panel.play()
    assert (
        len(panel.notes) == n
        and panel.notes[panel.chosen.options[1][1]].pitch == 70
        and not np.allclose(before, panel.wave)
        and "audio/mpeg" in panel.player.value
    )
    panel.add()
    assert len(panel.notes) == n + 1
    for _ in range(n + 1):
        panel.remove()
    panel.play()
    assert not panel.notes and panel.player.value == "No notes."


WORKER = """
import sys
from dataclasses import replace
from audiosynth.gan.losses import OBJECTIVES
from audiosynth.training.train import train
OBJECTIVES["wgan_gp"] = replace(OBJECTIVES["wgan_gp"], critic_steps=2)
options = dict(steps=2, strategy="workers", width=2, batch=4, quiet=True)
train("wave", sys.argv[1], sys.argv[2], condition="midi", **options)
"""


def test_two_workers_do_what_one_does(clips, tmp_path):
    cluster, workers = {"worker": [f"127.0.0.1:{port}" for port in ports(2)]}, []
    try:
        for i in range(2):
            environment = {
                **os.environ,
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "TF_CONFIG": json.dumps(
                    {"cluster": cluster, "task": {"type": "worker", "index": i}}
                ),
            }
            with open(tmp_path / f"{i}.log", "w") as log:
                workers.append(
                    subprocess.Popen(
                        [sys.executable, "-c", WORKER, str(clips.folder), str(tmp_path / "two")],
                        env=environment,
                        stdout=log,
                        stderr=log,
                    )
                )
        assert ended(workers) == [0, 0], (tmp_path / "0.log").read_text()[-3000:]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    train(
        "wave",
        clips.folder,
        tmp_path / "one",
        condition="midi",
        steps=2,
        width=2,
        batch=4,
        quiet=True,
    )
    two, one = (read_arrays(Run(tmp_path / name).checkpoint(2))[0] for name in ("two", "one"))
    assert one.keys() == two.keys()
    remembered = [
        sum(np.abs(v).sum() for name, v in values.items() if "adam/" in name and v.ndim)
        for values in (one, two)
    ]
    assert np.isclose(*remembered, rtol=0.05), remembered
    logs = [
        np.genfromtxt(tmp_path / name / "log.csv", delimiter=",", names=True)
        for name in ("two", "one")
    ]
    for name in ("gap", "critic_loss", "generator_loss"):
        assert np.isclose(logs[0][name], logs[1][name], rtol=2e-2, atol=1e-4), name
