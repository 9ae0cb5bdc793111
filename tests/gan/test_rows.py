# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Every row of the study: builds at the papers' size, gives critics the same view of real and
generated clips, resumes to the bit, is saved without code."""

import json
from dataclasses import asdict, replace

import keras
import numpy as np
import pytest
import soundfile as sf
import tensorflow as tf

from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips, prepare
from audiosynth.gan.augmentation import random_window
from audiosynth.gan.batches import dataset
from audiosynth.gan.experiment import Experiment, resolve
from audiosynth.gan.losses import gradient_penalty, interpolate, joint_norm, r1_penalty
from audiosynth.gan.randomness import GENERATED, REAL, random_key
from audiosynth.gan.rows import LAPTOP, ROWS, CriticSpec, Row, row_from, select_row
from audiosynth.gan.trained_model import TrainedModel, load_model
from audiosynth.networks import gan_tts
from audiosynth.networks.gan_tts import RANDOM_WINDOWS
from audiosynth.representations.registry import convert
from audiosynth.training.runs import (
    Run,
    named_variables,
    read_arrays,
    read_checkpoint,
    write_checkpoint,
)
from audiosynth.training.train import train

SEVERAL = [row for row in ROWS if len(ROWS[row].critics) > 1]
LAPTOPS = [f"{row} laptop" for row in LAPTOP if LAPTOP[row] != ROWS[row]]
EVERY = [*ROWS, "stft laptop"]
STEPS, STOPS = 5, 3  # updates; random places to stop
pytestmark = pytest.mark.usefixtures("as_in_training", "two_critic_updates")


def rows_of(samples, folder):
    "A dataset of two words, noise bursts and tones, in clips of so many samples."
    rng = np.random.default_rng(0)
    for word, hz in (("low", 220), ("high", 880)):
        (folder / "from" / word).mkdir(parents=True)
        for i in range(8):
            t = np.arange(samples) / 16000
            wave = np.sin(2 * np.pi * hz * rng.uniform(0.9, 1.1) * t) * np.exp(
                -4 * t
            ) * 0.5 + rng.normal(0, 0.01, len(t))
            sf.write(folder / "from" / word / f"{i}.wav", wave, 16000)
    return prepare("folder", folder / "data", from_=folder / "from", samples=samples)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return rows_of(2**12, tmp_path_factory.mktemp("clips"))


def tiny(row, **changes):
    "A row at the smallest size; of the five windows the first and the last."
    name, _, size = row.partition(" ")
    found = select_row(name, size or "paper", width=2, batch=2, **changes)
    return replace(found, critics=found.critics[::4]) if len(found.critics) == 5 else found


@pytest.fixture(scope="module")
def fitted(clips):
    "Representations by row, fitted once."
    known = {}

    def of(row):
        if row not in known:
            experiment = Experiment(row, tiny(row), clips).fit()
            known[row] = (experiment.representation, experiment.critic_representations)
        return known[row]

    return of


@pytest.fixture
def made(clips, fitted):
    "A small GAN of a row, freshly built."

    def of(row, **changes):
        return Experiment(row, tiny(row, **changes), clips, 3, *fitted(row)).build()

    return of


def advance(gan, clips, steps):
    "Train for so many updates; the last logs."
    gan.fit(dataset(gan, clips, batch=2, seed=3), steps_per_epoch=steps, verbose=0, shuffle=False)


def state(gan):
    return {name: np.array(v) for name, v in named_variables(gan).items()}


def same(one, two):
    return one.keys() == two.keys() and all(np.array_equal(one[k], two[k]) for k in one)


@pytest.mark.own_process
@pytest.mark.parametrize("row", ROWS)
def test_a_row_builds_at_paper_size(row):
    clips = load_clips("digits")
    experiment = resolve(row, clips).fit()
    representation = experiment.representation
    network, critics = experiment.networks()
    assert clips.samples == 2**14 and network.output.shape[1:] == representation.shape
    for critic, inputs in zip(critics, experiment.critic_representations, strict=True):
        shape = (critic.window or inputs.shape[0], *inputs.shape[1:])
        assert critic.network.inputs[0].shape[1:] == shape
    wave = representation.decode(tf.zeros((1, *representation.shape)))
    assert wave.shape == (1, 2**14) and np.isfinite(wave).all()


def of_length(row, samples, clips, fitted):
    "A row as if the clips had another length."
    own, critics = fitted(row)
    own, critics = replace(own, samples=samples), [replace(c, samples=samples) for c in critics]
    return Experiment(row, tiny(row), clips, 0, own, critics)


@pytest.mark.parametrize("samples", [2**12, 2**16])
@pytest.mark.parametrize("row", ROWS)
def test_a_row_builds_for_other_lengths(row, samples, clips, fitted):
    experiment = of_length(row, samples, clips, fitted)
    network, critics = experiment.networks()
    assert network.output.shape[1:] == experiment.representation.shape
    for critic, inputs in zip(critics, experiment.critic_representations, strict=True):
        assert critic.network.inputs[0].shape[2:] == inputs.shape[1:]


@pytest.mark.parametrize("row", ROWS)
def test_a_length_that_cannot_be_built_is_refused(row, clips, fitted):
    samples = 2**12 + (2**6 if row == "wave_rwd" else 2**7)
    with pytest.raises(InputError, match="samples"):
        of_length(row, samples, clips, fitted).networks()


@pytest.mark.own_process
@pytest.mark.parametrize("row", EVERY)
def test_a_row_trains_and_resumes_to_the_same_bits(row, clips, made, tmp_path, monkeypatch):
    monkeypatch.setattr(
        gan_tts, "GBLOCKS", gan_tts.GBLOCKS[::3]
    )  # three of seven: its step is the slowest to build
    stops = np.random.default_rng([*row.encode()]).choice(np.arange(1, STEPS), STOPS, replace=False)
    whole = made(row)
    before = state(whole)
    for step in range(1, STEPS + 1):
        advance(whole, clips, 1)
        if step in stops:
            write_checkpoint(tmp_path / f"{step}.npz", whole, 0)
    end, again = state(whole), made(row)
    assert same(before, state(again)) and all(np.isfinite(v).all() for v in end.values())
    moved = {name.split("/")[0] for name in end if not np.array_equal(end[name], before[name])}
    assert moved >= {"generator", *("critic" + suffix for suffix in whole.suffixes)}
    for stop in stops:
        read_checkpoint(tmp_path / f"{stop}.npz", again)
        advance(again, clips, STEPS - stop)
        assert same(end, state(again)), f"stopped at {stop}"


@pytest.mark.parametrize("row", ROWS)
def test_a_saved_row_speaks_the_same_and_holds_no_code(row, clips, made, tmp_path):
    gan = made(row)
    metadata = {"row": row, "labels": clips.labels if tiny(row).labels else []}
    model = TrainedModel(gan.ema_generator, gan.representation, metadata)
    model.save(tmp_path)
    again = load_model(tmp_path)  # in Keras's safe mode
    one, two = model.generate(3, seed=1), again.generate(3, seed=1)
    assert (
        one.shape == (3, clips.samples)
        and np.isfinite(one).all()
        and np.abs(one).max() <= 1
        and one.std() > 0
    )
    assert np.array_equal(one, two)


@pytest.mark.parametrize("row", ROWS)
def test_critics_get_the_same_view_of_real_and_generated(row, clips, fitted):
    "A generator that emits a real clip looks like that real clip."
    representation, critic_representations = fitted(row)
    wave = clips.waves(clips.where("train")[:4])
    x = representation.encode(wave)
    back = representation.decode(x)  # the clip as this representation can say it
    for inputs in critic_representations:
        real, fake = inputs.encode(back), convert(x, representation, inputs)
        if inputs is representation:
            assert np.array_equal(fake, x)
        else:
            assert np.abs(fake - real).mean() < 0.02 * np.abs(real - tf.reverse(real, [0])).mean()


@pytest.mark.parametrize("row", SEVERAL)
def test_silence_has_a_finite_gradient(row, made):
    gan = made(row)
    for network in gan.critic_networks:
        for weight in network.trainable_variables:  # a rectifier's gradient at exactly 0 is 0:
            if len(weight.shape) == 1:  # biases, as they are after the first update
                weight.assign_add(0.1 * tf.ones_like(weight))
    silence = gan.representation.encode(tf.zeros((2, 2**12)))
    for x in (silence, tf.zeros_like(silence)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = sum(
                tf.reduce_sum(gan.score(i, [gan.augment(i, converted, 0, GENERATED)])[0])
                for i, converted in enumerate(gan.convert_for_critics(x))
            )
        gradient = tape.gradient(score, x).numpy()
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


@pytest.mark.own_process
@pytest.mark.parametrize("row", ["wave_mag", "stft_wave"])
def test_another_objective(row, clips, made):
    gan = made(row, objective="r1")
    before = state(gan)
    advance(gan, clips, 2)
    assert (
        gan.objective.critic_steps == 1
        and not same(before, state(gan))
        and all(np.isfinite(v).all() for v in state(gan).values())
    )


def test_a_penalty_that_is_not_computed_now_is_logged_as_last_computed(clips, made, tmp_path):
    "In `r1` at updates 1, 9, 17, …; between, and in a resumed run, the last one is logged."

    class Logged(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.penalties = []

        def on_train_batch_end(self, batch, logs=None):
            self.penalties.append(float(logs["penalty"]))

    def run(gan, steps):
        gan.fit(
            dataset(gan, clips, batch=2, seed=3),
            steps_per_epoch=steps,
            verbose=0,
            shuffle=False,
            callbacks=[logged := Logged()],
        )
        return logged.penalties

    gan = made("digit")
    found = run(gan, 6)
    write_checkpoint(tmp_path / "6.npz", gan, 0)
    found += run(gan, 4)
    assert found[0] > 0 and found[:8] == 8 * found[:1]
    assert found[8] != found[0] and found[9] == found[8] > 0
    again = made("digit")
    read_checkpoint(tmp_path / "6.npz", again)
    assert run(again, 4) == found[6:]
    kept, _ = read_arrays(tmp_path / "6.npz")
    np.savez(
        tmp_path / "old.npz",
        seconds=0,
        **{name: value for name, value in kept.items() if name != "progress/002"},
    )  # as before penalties were kept
    read_checkpoint(tmp_path / "old.npz", again)
    assert int(again.step) == 6


@pytest.mark.own_process
@pytest.mark.parametrize("row", ["wave_mag", "stft"])
def test_any_row_takes_labels(row, clips, fitted):
    gan = Experiment(row, tiny(row, condition="label"), clips, 0, *fitted(row)).build()
    advance(gan, clips, 1)
    x = gan.generator([tf.zeros((2, 64)), tf.constant([0, 1])])
    assert not np.array_equal(x[0], x[1])


def test_the_penalty_by_hand():
    x, c, label = (
        tf.constant([[3.0, 4.0], [0.0, 1.0]]),
        tf.constant([[1.0], [2.0]]),
        tf.constant([0, 1]),
    )

    def linear(x, c):
        return x @ [[3.0], [-4.0]] + 12 * c  # slope 13 in (x, c) together

    def bowl(x, c):
        return (tf.reduce_sum(x * x, 1) + tf.reduce_sum(c * c, 1))[:, None] / 2  # slope ‖(x, c)‖

    assert np.isclose(gradient_penalty(linear, [x, c]), 12**2) and np.isclose(
        r1_penalty(linear, [x, c]), 13**2
    )
    lengths = np.sqrt([26, 5])
    assert np.isclose(gradient_penalty(bowl, [x, c]), np.mean((lengths - 1) ** 2)) and np.isclose(
        r1_penalty(bowl, [x, c]), np.mean(lengths**2)
    )
    assert np.isclose(
        gradient_penalty(lambda x, label: x @ [[3.0], [-4.0]], [x, label]), 4**2
    )  # a label has no slope
    assert np.allclose(joint_norm([tf.ones((2, 3, 4)), 2 * tf.ones((2, 1))]), np.sqrt(12 + 4))


def test_a_pair_moves_with_one_alpha():
    rng = np.random.default_rng(0)
    real, fake = [
        [tf.constant(rng.normal(size=s), tf.float32) for s in ((5, 7, 1), (5, 3))] for _ in range(2)
    ]
    alpha = rng.uniform(size=5).astype("float32")
    for point, r, f in zip(interpolate(real, fake, alpha), real, fake):
        share = (point - r) / (f - r)
        assert np.allclose(share, alpha.reshape(-1, *[1] * (r.shape.rank - 1)), atol=1e-3)


@pytest.mark.parametrize("length", RANDOM_WINDOWS)
def test_windows_are_drawn_anew_for_clip_step_and_critic_and_are_the_clips(length):
    samples = 2**12
    ramp = tf.tile(tf.range(float(samples))[None, :, None], [64, 1, 1])

    def starts(*key):
        return random_window(ramp, random_key(*key), length).numpy()[:, 0, 0]

    window = random_window(ramp, random_key(0, 0, 0, REAL), length).numpy()[..., 0]
    assert (
        window.shape == (64, length)
        and (np.diff(window) == 1).all()
        and 0 <= window.min()
        and window.max() <= samples - 1
    )
    assert len(set(window[:, 0])) > 50
    assert np.array_equal(starts(0, 0, 0, REAL), window[:, 0])
    for key in (
        (1, 0, 0, REAL),
        (0, 1, 0, REAL),
        (0, 0, 1, REAL),
        (0, 0, 0, GENERATED),
        (0, 0, 0, REAL, 1),
    ):
        assert not np.array_equal(starts(*key), window[:, 0])


def test_a_windows_gradient_is_exact_and_repeats():
    x = tf.random.stateless_normal((8, 2**12, 1), (0, 0))
    into = tf.random.stateless_normal((8, 960, 1), (0, 1))
    key = random_key(0, 0, 0, REAL)

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(random_window(x, key, 960) * into)
        return tape.gradient(total, x)

    found = gradient().numpy()
    wanted = np.zeros_like(found)
    ramp = tf.tile(tf.range(float(2**12))[None, :, None], [8, 1, 1])
    for i, start in enumerate(random_window(ramp, key, 960).numpy()[:, 0, 0].astype(int)):
        wanted[i, start : start + 960] = into[i]
    assert np.array_equal(found, wanted) and all(
        np.array_equal(gradient(), found) for _ in range(10)
    )


def test_a_weight_counts_in_the_generators_loss_alone(clips, made):
    def after(weight):
        gan = made("wave_mag")
        gan.critics[1].weight = weight
        advance(gan, clips, 1)
        return state(gan)

    none, some = after(0.0), after(1.0)
    differ = {name.split("/")[0] for name in none if not np.array_equal(none[name], some[name])}
    assert differ == {"generator", "generator_adam"}


@pytest.mark.own_process
def test_the_log_tells_the_critics_apart(clips, tmp_path):
    train("stft_mag", clips.folder, tmp_path / "run", steps=1, width=2, batch=2, quiet=True)
    names = (tmp_path / "run" / "log.csv").read_text().splitlines()[0].split(",")
    assert {
        "gap",
        "critic_loss",
        "penalty",
        "gap_log_magnitude",
        "penalty_log_magnitude",
        "generator_loss",
    } <= set(names)
    assert (tmp_path / "run" / "critics" / "log_magnitude" / "representation.json").exists()
    assert {name.split("/")[0] for name in read_arrays(Run(tmp_path / "run").checkpoint(1))[0]} >= {
        "critic",
        "critic_log_magnitude",
        "critic_adam_log_magnitude",
    }


OLD = {
    "published": "WaveGAN",
    "representation": "waveform",
    "network": "wavegan",
    "options": {},
    "game": "wgan_gp",
    "price": 10.0,
    "labels": False,
    "width": 2,
    "latent": 64,
    "batch": 2,
    "learning_rate": 1e-4,
    "beta_1": 0.5,
    "beta_2": 0.9,
    "falling": False,
    "shift": [],
    "average": 0.0,
}


@pytest.mark.own_process
def test_a_run_from_before_there_were_several_critics_goes_on(clips, tmp_path):
    options = dict(width=2, batch=2, quiet=True, say=lambda line: None)
    train("wave", clips.folder, tmp_path / "run", steps=1, **options)
    path = tmp_path / "run" / "experiment.json"
    metadata = json.loads(path.read_text())
    assert row_from(Row, OLD) == Row(**metadata["experiment"] | {"augmentation": []})
    assert row_from(Row, OLD).critic_specs == (CriticSpec("waveform", network="wavegan"),)
    path.write_text(json.dumps({**metadata, "experiment": OLD}))
    train("wave", clips.folder, tmp_path / "run", steps=2, **options)
    assert Run(tmp_path / "run").checkpoints()[-1] == 2


@pytest.mark.parametrize("row", ROWS)
def test_a_row_survives_json(row):
    again = Row(**json.loads(json.dumps(asdict(select_row(row)))))
    assert again.critic_specs == select_row(row).critic_specs


@pytest.mark.own_process
@pytest.mark.parametrize("row", ["wave laptop", "stft laptop", "mdct laptop"])
def test_a_row_of_laptop_size_learns_at_half_the_rate_of_dull_clips(row, clips, tmp_path):
    "The clips' tones lie below 1 kHz, but their noise does not: they are learned at their rate."
    name = row.split()[0]
    assert not resolve(name, clips, size="laptop").half_rate
    dull = prepare("folder", tmp_path / "dull", from_=clips.folder.parent / "from", samples=2**12)
    waves = np.load(dull.folder / "clips.npy", mmap_mode="r+")
    spectrum = np.fft.rfft(waves)
    spectrum[:, spectrum.shape[1] // 2 - 64 :] = 0
    waves[:] = np.round(np.fft.irfft(spectrum))
    waves.flush()
    options = dict(size="laptop", width=2, batch=2)
    experiment = resolve(name, load_clips(dull.folder), **options).fit()
    assert experiment.half_rate and experiment.representation.name == "half_rate"
    inner = [each.inner for each in experiment.critic_representations]
    assert {(each.samples, each.rate) for each in inner} == {(2**11, 8000)}
    assert inner[1].frame == 256 and inner[1].hop == 64  # 32 ms and 8 ms, as at the full rate
    gan = experiment.build()
    advance(gan, experiment.clips, 1)
    assert TrainedModel(
        gan.ema_generator, gan.representation, {"row": name, "labels": clips.labels}
    ).generate(2).shape == (2, 2**12)


@pytest.mark.parametrize("row", LAPTOPS)
def test_a_row_of_laptop_size_needs_no_labels(row, clips):
    name = row.split()[0]
    assert resolve(name, clips, size="laptop").row.condition == "label"
    assert resolve(name, clips, size="laptop", condition="none").row.condition == ""
    assert resolve(name, load_clips("piano"), size="laptop").row.condition == ""


@pytest.mark.parametrize("row", LAPTOPS)
def test_a_row_of_laptop_size_has_compact_critics_of_spectrograms(row, clips):
    experiment = resolve(row.split()[0], clips, size="laptop", width=2, batch=2).fit()
    specs, gan = experiment.row.critic_specs, experiment.build()
    kinds = {spec.network for spec in specs if spec.representation != "waveform"}
    assert kinds <= {"compact"} and len(gan.critics) == len(specs)
    labels = np.arange(2, dtype="int32") % 2
    z = np.zeros((2, experiment.row.latent), "float32")
    assert gan.generator([z, labels]).shape == (2, *experiment.representation.shape)
