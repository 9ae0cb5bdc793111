# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""From a folder of audio to sounds, stopped and resumed on the way, through the command line."""

import io
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr
from dataclasses import replace

import keras
import numpy as np
import pytest
import soundfile as sf
from command import audiosynth

from audiosynth.cli import main
from audiosynth.data.files import InputError
from audiosynth.gan.rows import ROWS
from audiosynth.gan.trained_model import load_model
from audiosynth.training.doctor import Diverged
from audiosynth.training.runs import Run, read_arrays, read_log
from audiosynth.training.train import train

SMALL = {
    "wave": ["--samples", "4096"],
    "stft_wave": ["--samples", "4096"],
    "digit": ["--samples", "16384"],
}  # one critic, two, labels; the others in test_rows


def refused(*words):
    "The one line of a refusal, in this process: a new one imports TensorFlow for five seconds."
    with redirect_stderr(io.StringIO()) as said, pytest.raises(SystemExit) as stopped:
        main([*map(str, words)])
    lines = [line for line in said.getvalue().splitlines() if line.startswith("audiosynth:")]
    assert stopped.value.code == 2 and len(lines) == 1, said.getvalue()
    return lines[0]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    "Two words, each said by ten files of noise bursts and tones."
    folder, rng = tmp_path_factory.mktemp("recordings"), np.random.default_rng(0)
    for word, hz in (("low", 220), ("high", 880)):
        (folder / word).mkdir()
        for i in range(10):
            t = np.arange(12000) / 16000
            wave = np.sin(2 * np.pi * hz * rng.uniform(0.9, 1.1) * t) * np.exp(
                -4 * t
            ) * 0.5 + rng.normal(0, 0.01, len(t))
            sf.write(folder / word / f"{i}.wav", wave, 16000)
    return folder


def end(run, step):
    return read_arrays(Run(run).checkpoint(step))[0]


def same(one, two):
    return one.keys() == two.keys() and all(np.array_equal(one[k], two[k]) for k in one)


@pytest.mark.parametrize("row", SMALL)
def test_prepare_train_stop_resume_generate(row, recordings, tmp_path):
    data = tmp_path / "data"
    audiosynth("prepare", "folder", "--from", recordings, "--out", data, *SMALL[row])
    options = dict(width=2, batch=2, quiet=True, say=lambda line: None)
    train(row, data, tmp_path / "whole", steps=3, save_every=1, **options)
    train(row, data, tmp_path / "halves", steps=3, save_every=1, **options)
    for later in (2, 3):
        Run(tmp_path / "halves").checkpoint(later).unlink()
    train(row, data, tmp_path / "halves", steps=3, save_every=1, **options)
    assert same(end(tmp_path / "whole", 3), end(tmp_path / "halves", 3))
    assert not np.array_equal(
        end(tmp_path / "whole", 3)["generator/000"], end(tmp_path / "whole", 1)["generator/000"]
    )
    data.rename(tmp_path / "away")  # a model needs no dataset
    one, two = (load_model(tmp_path / run).generate(3, seed=1) for run in ("whole", "halves"))
    assert np.array_equal(one, two) and one.std() > 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_a_process_stopped_anywhere_resumes_to_the_same_bits(how, tmp_path):
    words = [
        "train",
        "digit",
        "--data",
        "digits",
        "--steps",
        60,
        "--width",
        2,
        "--batch",
        2,
        "--save-every",
        7,
    ]
    audiosynth(*words, "--out", tmp_path / "whole")
    log = open(tmp_path / "stopped.log", "w")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "audiosynth.cli",
            *map(str, words),
            "--out",
            str(tmp_path / "stopped"),
        ],
        stdout=log,
        stderr=log,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # a shell's background jobs ignore it
    deadline = time.monotonic() + 120
    while (
        len(Run(tmp_path / "stopped").checkpoints()) < 3
        and process.poll() is None
        and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    process.send_signal(how)
    status = process.wait(60)
    at = max(Run(tmp_path / "stopped").checkpoints())
    assert at < 60 and status == (130 if how == signal.SIGINT else -signal.SIGKILL)
    audiosynth(*words, "--out", tmp_path / "stopped")
    assert same(end(tmp_path / "whole", 60), end(tmp_path / "stopped", 60))
    steps = [
        line.split(",")[0]
        for line in (tmp_path / "stopped" / "log.csv").read_text().splitlines()[1:]
    ]
    assert steps == sorted(set(steps), key=int) and steps[-1] == "60"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    "A run of two updates."
    run = tmp_path_factory.mktemp("trained") / "run"
    audiosynth(
        "train", "digit", "--steps", 4, "--width", 2, "--batch", 2, "--save-every", 1, "--out", run
    )
    return run


def test_generate_leaves_sounds_and_a_page(trained, tmp_path):
    audiosynth("generate", trained, "--n", 4, "--label", "seven", "--out", tmp_path / "sounds")
    files = sorted(p.name for p in (tmp_path / "sounds").iterdir())
    assert files == [
        "0000-seven.wav",
        "0001-seven.wav",
        "0002-seven.wav",
        "0003-seven.wav",
        "index.html",
    ]
    info = sf.info(tmp_path / "sounds" / files[0])
    assert (info.samplerate, info.frames, info.channels) == (16000, 16384, 1)
    before = audiosynth("generate", trained, "--n", 1, "--step", 1, "--out", tmp_path / "before")
    assert (
        before.returncode == 0
        and (tmp_path / "before" / "0000-zero.wav").read_bytes()
        != (tmp_path / "sounds" / files[0]).read_bytes()
    )


def test_what_a_run_leaves(trained):
    names = {p.name for p in trained.iterdir()}
    assert names == {
        "checkpoints",
        "doctor.txt",
        "experiment.json",
        "log.csv",
        "model",
        "options.toml",
        "representation.json",
        "sounds",
        "tensorboard",
    }
    assert {p.name for p in (trained / "model").iterdir()} == {
        "generator.keras",
        "representation.json",
        "model.json",
    }
    assert len(list((trained / "sounds" / "step-00000004").glob("*.wav"))) == 10
    events = b"".join(p.read_bytes() for p in (trained / "tensorboard").iterdir())
    assert all(word in events for word in (b"gap", b"critic_gradient", b"sounds", b"warnings"))
    assert "After 4 updates: nothing to worry about" in (trained / "doctor.txt").read_text()
    log = read_log(trained)
    assert (
        log["step"].tolist() == [4] and log["warnings"].tolist() == [0] and log["penalty"][0] > 0
    )  # paid at the first update


def test_a_run_goes_on_in_its_own_recipe(tmp_path, monkeypatch):
    "The spectrogram of `digit` was another in 0.1.0; the same command still goes on."
    new, options = ROWS["digit"], dict(width=2, batch=2, quiet=True)
    old = replace(new, options=dict(frame=1024, hop=256), augmentation=(8, 2))
    monkeypatch.setitem(ROWS, "digit", old)
    train("digit", "digits", tmp_path / "run", steps=1, **options)
    whole = train("digit", "digits", tmp_path / "whole", steps=2, **options)
    monkeypatch.setitem(ROWS, "digit", new)
    model = train("digit", "digits", tmp_path / "run", steps=2, **options)
    assert model.representation.shape == (64, 64, 1) and model.metadata["step"] == 2
    assert np.array_equal(model.generate(2), whole.generate(2))
    with pytest.raises(InputError, match="was made with width 2, not 4"):
        train("digit", "digits", tmp_path / "run", steps=2, **options | dict(width=4))


def test_a_finished_run_that_is_asked_for_more_minutes_goes_on(tmp_path):
    lines = []
    how = dict(width=2, batch=2, quiet=True, say=lines.append)
    first = train("digit", "digits", tmp_path / "run", steps=2, **how).metadata
    asked = (first["seconds"] + 2) / 0.9 / 60
    longer = train("digit", "digits", tmp_path / "run", minutes=asked, **how).metadata
    assert longer["step"] > first["step"] and longer["seconds"] > first["seconds"] and not lines
    again = train(
        "digit", "digits", tmp_path / "run", minutes=longer["seconds"] / 60, **how
    ).metadata
    assert again["step"] == longer["step"] and len(lines) == 1 and "or minutes" in lines[0]


def test_a_run_whose_numbers_go_stops_at_the_last_good_checkpoint(tmp_path):
    words = [
        "train",
        "digit",
        "--width",
        2,
        "--batch",
        2,
        "--save-every",
        1,
        "--steps",
        400,
        "--learning-rate",
        100,
        "--out",
        tmp_path / "run",
    ]
    said = refused(*words)
    run = Run(tmp_path / "run")
    at = run.checkpoints()[-1]
    assert (
        "NaN or infinite" in said
        and "from 100 to 3e+01" in said
        and f"stands at update {at}:" in said
    )
    assert all(np.isfinite(value).all() for value in end(run.folder, at).values())
    log = read_log(run.folder) if run.log.exists() else {}
    assert all(np.isfinite(values).all() for values in log.values())


class Spoil(keras.callbacks.Callback):
    "Weights go between two updates; the losses are still numbers."

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step) == 3:
            self.model.generator.weights[0].assign(self.model.generator.weights[0] * np.nan)


def test_weights_that_are_no_numbers_are_never_kept(tmp_path):
    with pytest.raises(Diverged, match="weights are NaN or infinite.*stands at update 2"):
        train(
            "digit",
            "digits",
            tmp_path / "run",
            steps=5,
            width=2,
            batch=2,
            save_every=1,
            quiet=True,
            callbacks=[Spoil()],
        )
    assert (
        Run(tmp_path / "run").checkpoints() == [0, 1, 2]
        and load_model(tmp_path / "run").generate(2).std() > 0
    )


def test_bad_words_are_refused_in_one_line(trained, tmp_path):
    assert "digit" in refused("train", "digt", "--out", tmp_path / "run")
    assert "wave" in refused("train", "wave", "--out", trained)
    assert "width" in refused("train", "digit", "--width", 3, "--batch", 2, "--out", trained)
    assert "0, 1, 2, 3, 4" in refused("generate", trained, "--step", 9)
    assert "seven" in refused("generate", trained, "--label", "seve")
    assert "no trained model" in refused("generate", tmp_path)
    assert "labels" in refused("train", "digit", "--data", "piano", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    assert "not empty" in refused("train", "digit", "--out", tmp_path / "mine")
    assert (
        audiosynth(
            "train", "digit", "--steps", "many", "--out", tmp_path / "run", ok=False
        ).returncode
        == 2
    )


def test_a_clip_length_that_cannot_be_built_is_refused(recordings, tmp_path):
    audiosynth(
        "prepare", "folder", "--from", recordings, "--out", tmp_path / "data", "--samples", 5000
    )
    words = ["train", "wave", "--data", tmp_path / "data", "--out", tmp_path / "run"]
    assert "1024" in refused(*words, "--size", "paper")
    assert not (tmp_path / "run").exists()
    assert "multiple of the hop" in refused(*words, "--size", "laptop")


def test_a_checkpoint_cut_in_half_is_said_and_the_one_before_is_used(tmp_path):
    words = [
        "train",
        "digit",
        "--width",
        2,
        "--batch",
        2,
        "--save-every",
        1,
        "--out",
        tmp_path / "run",
        "--steps",
    ]
    audiosynth(*words, 3)
    whole = end(tmp_path / "run", 3)
    path = Run(tmp_path / "run").checkpoint(3)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = audiosynth(*words, 3)
    assert (
        "step-00000003.npz" in done.stdout + done.stderr and "step 2" in done.stdout + done.stderr
    )
    assert same(whole, end(tmp_path / "run", 3))


def test_a_foreign_or_damaged_model_is_refused(trained, tmp_path):
    import shutil

    shutil.copytree(trained / "model", tmp_path / "model")
    (tmp_path / "model" / "generator.keras").write_bytes(b"not a model")
    assert "generator.keras" in refused("generate", tmp_path / "model")
    (tmp_path / "model" / "model.json").write_text("[]")
    assert "model.json" in refused("generate", tmp_path / "model")


def test_code_in_a_model_is_refused(trained, tmp_path):
    "A layer that holds a function is what a hostile model would carry; so is any other class."
    import shutil
    import zipfile

    z = keras.Input((64,), name="z")
    keras.Model([z], keras.layers.Lambda(lambda x: x * 2)(z)).save(tmp_path / "lambda.keras")
    shutil.copytree(trained / "model", tmp_path / "model")
    shutil.copy(tmp_path / "lambda.keras", tmp_path / "model" / "generator.keras")
    assert "generator.keras: cannot be loaded" in refused("generate", tmp_path / "model")
    with (
        zipfile.ZipFile(trained / "model" / "generator.keras") as good,
        zipfile.ZipFile(tmp_path / "model" / "generator.keras", "w") as bad,
    ):
        for name in good.namelist():
            content = good.read(name)
            if name == "config.json":
                content = content.replace(
                    b'"class_name": "Dense"', b'"class_name": "system"', 1
                ).replace(b'"module": "keras.layers"', b'"module": "os"')
            bad.writestr(name, content)
    assert "generator.keras: cannot be loaded" in refused("generate", tmp_path / "model")


def test_a_full_disk_loses_nothing(tmp_path):
    "A limit on the size of files stands for a full disk: the checkpoints before it are kept."
    run = tmp_path / "run"
    words = [
        "train",
        "digit",
        "--width",
        2,
        "--batch",
        2,
        "--save-every",
        1,
        "--out",
        run,
        "--steps",
    ]
    audiosynth(*words, 1)
    size = Run(run).checkpoint(1).stat().st_size
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size // 2}, {size // 2}));"
        f"from audiosynth.cli import main; main({[str(w) for w in words + [3]]!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (
        done.returncode == 2 and "disk is full" in done.stderr and "Traceback" not in done.stderr
    ), done.stderr
    assert Run(run).checkpoints() == [0, 1] and not list(run.rglob(".step*"))
    audiosynth(*words, 3)
    assert Run(run).checkpoints()[-1] == 3
