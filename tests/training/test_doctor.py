# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Every ailment is made and found, and nothing is found in a run that is well."

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import scipy.stats

from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips
from audiosynth.gan.batches import dataset
from audiosynth.gan.experiment import resolve
from audiosynth.gan.rows import select_row
from audiosynth.gan.trained_model import TrainedModel
from audiosynth.training.doctor import Diverged, Doctor, examine, restore_last_good
from audiosynth.training.log_symptoms import (
    Diagnosis,
    Symptom,
    expected_gradient_norm,
    robust_slope,
)
from audiosynth.training.runs import Run, write_checkpoint
from audiosynth.training.sound_symptoms import FEWEST, sound_spread

T = np.arange(2**14) / 16000
LATE = np.arange(300) >= 230


def healthy(seed=0, objective="wgan_gp", lines=300, suffix=""):
    "The log of a run that is well: gap and penalty belong together, everything jumps about."
    rng, step = np.random.default_rng(seed), 10.0 * np.arange(1, lines + 1)

    def jumps(middle, spread):
        return middle * np.exp(spread * rng.standard_normal(lines))

    scale = 10 ** rng.uniform(-0.5, 2)
    gap = jumps(scale * (0.4 + np.exp(-step / 600)), 0.2)
    penalty = (
        (expected_gradient_norm(gap) - 1) ** 2 * jumps(1, 0.2) + jumps(0.03, 0.3)
        if objective == "wgan_gp"
        else np.zeros(lines)
    )
    own = {
        "gap": gap,
        "critic_loss": jumps(-scale, 0.2),
        "penalty": penalty,
        "critic_gradient": jumps(10 * scale, 0.5),
    }
    if objective == "r1":
        own["gap"] = jumps(1.5 + 6 * np.exp(-step / 200), 0.3)
    return {
        "step": step,
        **{name + suffix: v for name, v in own.items()},
        "generator_loss": rng.standard_normal(lines),
        "generator_gradient": jumps(5, 0.6),
    }


def names(log, objective="wgan_gp", **sounds):
    return {f.name for f in examine(log, objective=objective, **sounds).warnings}


@pytest.fixture(scope="module")
def digits():
    clips = load_clips("digits")
    rows = clips.where("train")
    return clips.waves(rows), clips.label[rows]


@pytest.mark.parametrize("objective", ["wgan_gp", "r1"])
def test_a_healthy_log_gives_no_alarm_wherever_it_is_cut(objective):
    for seed in range(20):
        log = healthy(seed, objective)
        for lines in (1, 4, 5, 9, 21, 60, 150, 300):
            assert not names({k: v[:lines] for k, v in log.items()}, objective), (seed, lines)


AILMENTS = [
    ("NaN", "wgan_gp", dict(critic_loss=lambda v: np.where(LATE, np.nan, v))),
    ("NaN", "r1", dict(generator_gradient=lambda v: np.where(np.arange(300) == 299, np.inf, v))),
    (
        "critic collapsed",
        "wgan_gp",
        dict(
            gap=lambda v: np.where(LATE, 1e-5, v),
            critic_gradient=lambda v: np.where(LATE, 1e-5, v),
            penalty=lambda v: np.where(LATE, 1, v),
        ),
    ),
    (
        "critic collapsed",
        "r1",
        dict(
            gap=lambda v: np.where(LATE, -1e-3, v), critic_gradient=lambda v: np.where(LATE, 0, v)
        ),
    ),
    ("critic exploding", "wgan_gp", dict(critic_gradient=lambda v: np.where(LATE, 1e3 * v, v))),
    ("critic exploding", "wgan_gp", dict(penalty=lambda v: v + 1e5)),
    ("critic exploding", "r1", dict(gap=lambda v: np.where(LATE, 90, v))),
    ("gradient norm", "wgan_gp", dict(penalty=lambda v: 5 * v + 1)),
    (
        "generator stands still",
        "wgan_gp",
        dict(generator_gradient=lambda v: np.where(LATE, 1e-9, v)),
    ),
    ("generator exploding", "r1", dict(generator_gradient=lambda v: np.where(LATE, 500 * v, v))),
]


@pytest.mark.parametrize(
    "name, objective, changes", AILMENTS, ids=lambda x: x if isinstance(x, str) else ""
)
def test_each_ailment_of_the_log_is_found_and_no_other(name, objective, changes):
    log = healthy(1, objective)
    log |= {column: change(log[column]) for column, change in changes.items()}
    found = examine(log, objective=objective)
    assert (
        [f.name for f in found.warnings] == [name] and found[0].words and "\n" not in str(found[0])
    )
    assert (found[0].severity == "fatal") == (name == "NaN")


def test_r1_has_no_opinion_on_the_gradient_norm():
    assert not names(healthy(0, "r1") | {"penalty": np.full(300, 1e4)}, "r1")


def test_the_sick_critic_is_named():
    log = healthy(3) | {
        k: v for k, v in healthy(4, suffix="_log_magnitude").items() if k.endswith("_log_magnitude")
    }
    assert not names(log)
    assert names(log | {"penalty_log_magnitude": log["penalty_log_magnitude"] + 1e6}) == {
        "critic exploding (log_magnitude)"
    }


SICK = {
    "silence": lambda real: np.zeros((12, 2**14)),
    "one tone": lambda real: 0.5 * np.sin(2 * np.pi * (np.linspace(300, 2000, 12)[:, None] * T)),
    "clipping": lambda real: np.clip(50 * real[:12], -1, 1),
    "mode collapse": lambda real: real[:1] * np.linspace(0.2, 1, 12)[:, None],
}


@pytest.mark.parametrize("name", SICK)
def test_each_ailment_of_the_sounds_is_found(name, digits):
    real, sounds = digits[0][::7], SICK[name](digits[0])
    assert names(healthy(), sounds=sounds, real=real) == {name}
    young = examine(healthy(lines=40), sounds, real, objective="wgan_gp")
    assert not young.warnings and name in [f.name for f in young]
    if name != "mode collapse":
        assert names(healthy(), sounds=sounds) == {name}  # without real clips too


def test_real_clips_are_well(digits):
    waves, label = digits
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(waves))
        one, two = order[:20], order[20:60]
        assert not names(healthy(), sounds=waves[one], real=waves[two])
        assert not names(
            healthy(), sounds=waves[one], real=waves[two], label=label[one], real_label=label[two]
        )
    piano = load_clips("piano")
    waves = piano.waves(piano.where("train"))
    assert not names(healthy(), sounds=waves[::2], real=waves[1::2])
    assert not names(healthy(), sounds=waves[:1], real=waves)  # one clip is no mode


def test_a_generator_with_one_way_to_say_each_word_has_collapsed(digits):
    real, label = digits
    first = np.array([np.flatnonzero(label == k)[0] for k in range(10)])
    sounds, said, real, label = (
        real[np.tile(first, 3)],
        np.tile(np.arange(10), 3),
        real[::5],
        label[::5],
    )
    assert names(healthy(), sounds=sounds, real=real) == set()  # ten different words
    assert names(healthy(), sounds=sounds, real=real, label=said, real_label=label) == {
        "mode collapse"
    }


def test_of_too_few_clips_nothing_is_said(digits):
    real = digits[0][::7]
    for name, make in SICK.items():
        for n in (1, 3, FEWEST - 1):
            found = examine(healthy(), make(digits[0])[:n], real, objective="wgan_gp")
            assert not found.warnings and f"{n} clips are too few" in str(found), (name, n)
    assert (
        names(healthy(), sounds=SICK["mode collapse"](digits[0]), real=real[: FEWEST - 1]) == set()
    )  # nothing to compare to


def test_a_warning_is_said_once_and_once_when_it_is_over():
    clips, said = load_clips("digits"), []
    watching = Doctor(select_row("digit", width=2, batch=2), clips, say=said.append)
    watching.set_model(
        SimpleNamespace(step=SimpleNamespace(value=SimpleNamespace(numpy=lambda: 50)))
    )
    sick = Diagnosis([Symptom("silence", "warning", "all is silent", 1.0)])
    for findings in (sick, sick, [], [], sick, []):
        watching.report(findings, "sounds")
    watching.report([], "figures")
    assert said == ["! silence: all is silent (update 50)", "✓ silence: over (update 50)"]


def test_nan_in_the_sounds_is_fatal(digits):
    assert (
        examine(healthy(), np.full((3, 2**14), np.nan), digits[0], objective="wgan_gp")[0].severity
        == "fatal"
    )


def test_spread_does_not_depend_on_loudness(digits):
    waves = digits[0][:8]
    assert abs(sound_spread(waves) - sound_spread(waves * np.linspace(0.2, 1, 8)[:, None])) < 0.02


def test_slope_and_interval_are_scipys():
    rng = np.random.default_rng(0)
    for n in (8, 16, 33):
        x, y = np.sort(rng.uniform(0, 9, n)), rng.standard_normal(n)
        slope, low, high = robust_slope(x, y)
        theirs = scipy.stats.theilslopes(y, x, 0.95)
        assert np.allclose((slope, low, high), (theirs.slope, theirs.low_slope, theirs.high_slope))


@pytest.mark.parametrize(
    "course, wanted",
    [
        (lambda step: 5 * np.exp(-step / 2000), "falling"),
        (lambda step: 3 + 0 * step, "flat"),
        (lambda step: 1 + step / 2000, "rising"),
    ],
)
def test_how_far_along(course, wanted):
    said = []
    for seed in range(60):
        log = healthy(seed, lines=1500 if wanted == "flat" else 300)
        log["gap"] = course(log["step"]) * np.exp(
            0.15 * np.random.default_rng(seed).standard_normal(len(log["gap"]))
        )
        said.append(next(f for f in examine(log, objective="wgan_gp") if f.name == "how far").words)
    assert np.mean([wanted in words for words in said]) > (0.85 if wanted == "flat" else 0.95)


def test_a_short_log_is_too_short():
    assert "too early" in str(
        examine(healthy(lines=95), objective="wgan_gp")
    ) and "too early" not in str(examine(healthy(lines=96), objective="wgan_gp"))
    assert isinstance(
        examine({k: v[:0] for k, v in healthy().items()}, objective="wgan_gp"), Diagnosis
    )


def fitted(clips, steps, callbacks, **changes):
    "A `digit` trained beside a doctor."
    experiment = resolve("digit", clips, width=2, batch=2, **changes).fit()
    gan = experiment.build()
    doctor = Doctor(experiment.row, clips, say=callbacks.append)
    later = LogsSeen()
    return (
        experiment,
        gan,
        doctor,
        later,
        lambda: gan.fit(
            dataset(gan, clips, batch=2),
            steps_per_epoch=steps,
            verbose=0,
            shuffle=False,
            callbacks=[doctor, later],
        ),
    )


class LogsSeen(keras.callbacks.Callback):
    "What a callback after the doctor is given."

    seen = ()

    def on_train_batch_end(self, batch, logs=None):
        self.seen = (*self.seen, dict(logs))


def test_a_run_beside_the_doctor(tmp_path):
    clips, said = load_clips("digits"), []
    experiment, gan, watching, later, fit = fitted(clips, 30, said)
    fit()
    assert [seen["warnings"] for seen in later.seen] == [0] * 30 and said == []
    again = Doctor(
        experiment.row,
        clips,
        {k: v[:2] for k, v in watching.log.items()} | {"warnings": np.zeros(2)},
        say=said.append,
    )
    again.set_model(gan)
    again.on_train_batch_end(29, dict(later.seen[-1]))
    assert {k: v.tolist() for k, v in again.log.items()} == {
        k: v.tolist() for k, v in watching.log.items()
    }
    gan.ema_generator.set_weights(
        [0 * w for w in gan.ema_generator.get_weights()]
    )  # now it always says the same
    watching.examine_sounds(
        TrainedModel(gan.ema_generator, gan.representation, {"labels": clips.labels, "step": 5000})
    )
    assert {f.name for f in watching.found.warnings} == {"mode collapse"} and len(said) == 1


def test_nan_stops_and_goes_back(tmp_path):
    clips = load_clips("digits")
    experiment, gan, watching, later, fit = fitted(clips, 60, [], learning_rate=100.0)
    run = Run(tmp_path / "run")
    (run.folder / "checkpoints").mkdir(parents=True)
    write_checkpoint(run.checkpoint(0), gan, 0.0)
    before = [np.asarray(v) for v in gan.generator.weights]
    with pytest.raises(Diverged, match="learning rate from 100 to 3e[+]01"):
        fit()
    assert len(later.seen) < 60 and all(
        np.isfinite(list(seen.values())).all() for seen in later.seen
    )  # the bad update reached no other callback
    gan.generator.weights[0].assign(gan.generator.weights[0] * np.nan)
    write_checkpoint(run.checkpoint(7), gan, 0.0)  # as something worse might have left it
    run.checkpoint(9).write_bytes(b"half")
    assert restore_last_good(run, gan) == 0 and all(
        np.array_equal(a, b) for a, b in zip(before, gan.generator.weights)
    )
    run.checkpoint(0).unlink()
    with pytest.raises(InputError, match="another folder"):
        restore_last_good(run, gan)
