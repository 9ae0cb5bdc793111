# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Several workers make of a batch what one makes of it; if one is killed, the others stop, and the
same command resumes."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import soundfile

from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips, prepare
from audiosynth.gan.batches import batch_elements
from audiosynth.gan.losses import OBJECTIVES
from audiosynth.gan.trained_model import load_model
from audiosynth.training.callbacks import number
from audiosynth.training.distribute import Team, team_for
from audiosynth.training.runs import Run, read_arrays
from audiosynth.training.train import train

SMALL = dict(width=2, batch=4, save_every=2, quiet=True)
WORKER = f"""
import json, sys
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np

from audiosynth.cli import fail
from audiosynth.data.files import InputError
from audiosynth.gan.losses import OBJECTIVES
from audiosynth.gan.randomness import value_of
from audiosynth.training.callbacks import number
from audiosynth.training.runs import named_variables
from audiosynth.training.train import train

data, out, steps, kept = sys.argv[1:]
OBJECTIVES["wgan_gp"] = replace(OBJECTIVES["wgan_gp"], critic_steps=2)


class Seen(keras.callbacks.Callback):
    "The losses of every update, and the weights at the end."

    def on_train_batch_end(self, batch, logs=None):
        with open(kept + ".losses", "a") as file:
            print(json.dumps({{name: number(value) for name, value in logs.items()}}), file=file)

    def on_train_end(self, logs=None):
        weights = {{name: value_of(v) for name, v in named_variables(self.model).items()}}
        np.savez(kept + ".npz", **weights)


options = dict(strategy="workers", callbacks=[Seen()], **{SMALL!r})
try:
    train("wave", data, out, steps=int(steps), **options)
except InputError as error:
    fail(error)
"""
LIMIT = 300  # s


def ports(n):
    "Free ones."
    taken = [socket.socket() for _ in range(n)]
    for s in taken:
        s.bind(("127.0.0.1", 0))
    found = [s.getsockname()[1] for s in taken]
    for s in taken:
        s.close()
    return found


def start(data, out, kept, *, steps):
    "Two workers on this machine; their processes."
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports(2)]}

    def one(i):
        environment = {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}}),
        }
        with open(f"{kept}{i}.log", "w") as log:
            return subprocess.Popen(
                [sys.executable, "-c", WORKER, str(data), str(out), str(steps), f"{kept}{i}"],
                env=environment,
                stdout=log,
                stderr=log,
            )

    return [one(i) for i in range(2)]


def ended(workers):
    "Their exit statuses."
    deadline = time.monotonic() + LIMIT
    return [worker.wait(max(1, deadline - time.monotonic())) for worker in workers]


@pytest.fixture
def started():
    "Starts workers, none of which outlives its test."
    all_of_them = []

    def begin(*words, **options):
        all_of_them.extend(start(*words, **options))
        return all_of_them[-2:]

    yield begin
    for worker in all_of_them:
        worker.kill()
        worker.wait()


def losses(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Seen(keras.callbacks.Callback):
    "The losses of every update."

    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append({name: number(value) for name, value in logs.items()})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    "Two words, noise bursts and tones, in short clips."
    folder, rng = tmp_path_factory.mktemp("words"), np.random.default_rng(0)
    for word, hz in (("low", 220), ("high", 880)):
        (folder / "from" / word).mkdir(parents=True)
        for i in range(8):
            t = np.arange(2**12) / 16000
            soundfile.write(
                folder / "from" / word / f"{i}.wav",
                np.sin(2 * np.pi * hz * rng.uniform(0.9, 1.1) * t) * np.exp(-4 * t) * 0.5
                + rng.normal(0, 0.01, len(t)),
                16000,
            )
    return prepare("folder", folder / "data", from_=folder / "from", samples=2**12).folder


def test_two_workers_do_what_one_does_and_one_killed_all_stop_and_go_on(
    data, started, tmp_path, monkeypatch
):
    run = Run(tmp_path / "run")
    workers = started(data, run.folder, tmp_path / "first", steps=10**6)
    deadline = time.monotonic() + LIMIT
    while (
        len(run.checkpoints()) < 3
        and all(worker.poll() is None for worker in workers)
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    workers[1].kill()
    assert ended(workers) == [2, -9], (tmp_path / "first0.log").read_text()[-3000:]
    said = [
        line
        for line in (tmp_path / "first0.log").read_text().splitlines()
        if line.startswith("audiosynth:")
    ]
    assert (
        len(said) == 1
        and "another worker is gone" in said[0]
        and "Traceback" not in (tmp_path / "first0.log").read_text()
    )

    at = run.checkpoints()[-1]
    workers = started(data, run.folder, tmp_path / "again", steps=at + 2)
    assert ended(workers) == [0, 0], (tmp_path / "again0.log").read_text()[-3000:]
    one, two = (dict(np.load(tmp_path / f"again{i}.npz")) for i in range(2))
    kept, _ = read_arrays(run.checkpoint(at + 2))
    assert one.keys() == two.keys() == kept.keys() and all(
        np.array_equal(one[k], two[k]) and np.array_equal(one[k], kept[k]) for k in one
    )
    assert len(losses(tmp_path / "again0.losses")) == 2 and one["progress/000"] == at + 2
    steps = [int(line.split(",")[0]) for line in run.log.read_text().splitlines()[1:]]
    assert (
        steps == sorted(set(steps)) and load_model(run.folder).generate(2).std() > 0
    )  # written once

    monkeypatch.setitem(OBJECTIVES, "wgan_gp", replace(OBJECTIVES["wgan_gp"], critic_steps=2))
    alone = Seen()
    train("wave", data, tmp_path / "alone", steps=3, callbacks=[alone], **SMALL)
    pairs = list(
        zip(alone.losses, losses(tmp_path / "first0.losses"), losses(tmp_path / "first1.losses"))
    )
    assert len(pairs) == 3
    for i, (a, b, c) in enumerate(pairs):
        assert b == c
        for name in ("gap", "critic_loss", "penalty", "generator_loss"):
            assert np.isclose(
                a[name], b[name], rtol=1e-4 if i == 0 else 2e-2, atol=1e-6 if i == 0 else 1e-4
            ), (i, name, a[name], b[name])

    # Adam would hide gradients that were added up instead of averaged; its memory of them does not
    remembered = [
        sum(
            np.abs(v).sum()
            for name, v in read_arrays(Run(folder).checkpoint(2))[0].items()
            if "adam/" in name and v.ndim
        )
        for folder in (run.folder, tmp_path / "alone")
    ]
    assert np.isclose(*remembered, rtol=0.05), remembered


def test_nobody_takes_anothers_clips():
    clips = load_clips("digits")
    for replicas, workers in ((2, 1), (2, 2), (4, 2), (8, 4)):
        here = replicas // workers
        each = [
            batch_elements(
                clips,
                batch=8,
                updates=5,
                replicas=replicas,
                first=w * here,
                here=here,
                seed=3,
                start=11,
            )
            for w in range(workers)
        ]
        for step in (11, 12):
            parts = np.stack(
                [
                    next(each[w])["wave"].reshape(5, 8 // replicas, -1)
                    for w in range(workers)
                    for _ in range(here)
                ],
                1,
            )
            whole = next(clips.batches(40, seed=3, start_step=step))["wave"]
            assert np.array_equal(parts.reshape(40, -1), whole)


@pytest.mark.parametrize(
    "config, why",
    [
        ("", "TF_CONFIG"),
        ("{", "TF_CONFIG"),
        (
            '{"cluster": {"worker": ["127.0.0.1:1"]}, "task": {"type": "worker", "index": 0}}',
            "two workers",
        ),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
            "TF_CONFIG",
        ),
    ],
)
def test_a_cluster_that_is_none_is_refused(config, why, monkeypatch, tmp_path):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(InputError, match=why):
        train("wave", "digits", tmp_path / "run", steps=1, width=2, batch=2, strategy="workers")
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_shared_out_is_refused(tmp_path):
    with pytest.raises(InputError, match="steps"):
        train("wave", "digits", tmp_path / "run", minutes=1, strategy="workers")
    with pytest.raises(InputError, match="mirrored"):
        team_for("miror")
    with pytest.raises(InputError, match="strategy mirrored"):
        team_for(devices=["CPU:0"])

    class Three:
        num_replicas_in_sync = 3

    four = SimpleNamespace(clips=None, row=SimpleNamespace(batch=4))
    with pytest.raises(InputError, match="batch 4: does not divide"):
        Team(Three()).batches(four, None)
    assert not (tmp_path / "run").exists()


@pytest.mark.own_process
def test_half_precision_and_xla(data, tmp_path):
    alone, mixed, compiled = Seen(), Seen(), Seen()
    options = dict(steps=1, objective="r1", **SMALL)
    train("wave", data, tmp_path / "alone", callbacks=[alone], **options)
    model = train("wave", data, tmp_path / "mixed", mixed=True, callbacks=[mixed], **options)
    train("wave", data, tmp_path / "compiled", jit=True, callbacks=[compiled], **options)
    for name, value in alone.losses[0].items():
        if "gradient" in name:
            continue
        assert np.isclose(value, compiled.losses[0][name], rtol=1e-3, atol=2e-4) and np.isclose(
            value, mixed.losses[0][name], rtol=0.1, atol=1e-2
        ), name
    assert alone.losses != mixed.losses and keras.config.dtype_policy().name == "float32"
    assert model.generator.output.dtype == "float32" and all(
        layer.dtype_policy.name == "float32" for layer in model.generator.layers
    )
