# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"What every verb does alike: examples that parse, `~` in paths, and one line at Ctrl-C."

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from audiosynth import cli
from audiosynth.listen import mp3_bytes
from conftest import ROOT

VERBS = next(a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction)).choices
# options of a verb that do not name a file or folder
OTHERS = """help source samples rate workers groups overlap trim_db one_clip licence split_by states
hours shares version keep limit_per_word drop_quiet drop_clipped sha256 force seed row width batch
condition objective game learning_rate filters frozen_encoder steps minutes save_every save_minutes
step strategy devices mixed_precision jit rows cpu_minutes n label no_fade seconds representations
snrs setups repeats normalised dnsmos items modes match title format size""".split()


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_has_examples_that_parse(verb):
    shown = VERBS[verb].format_help().split("Examples:\n")[1].splitlines()
    assert shown == [f"  audiosynth {example}" for example in cli.EXAMPLES[verb]]
    for line in shown:
        name, *words = shlex.split(line)
        assert name == "audiosynth" and cli.parser().parse_args(words)


def test_a_home_folder_is_understood_in_every_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    dests = {action.dest for verb in VERBS.values() for action in verb._actions}
    assert dests == {*cli.PATHS, *OTHERS}, "an option is a path or it is not: cli.PATHS, or OTHERS"
    args = argparse.Namespace(**dict.fromkeys(cli.PATHS, "~/a b"), label="~", wavs=["~/a"])
    args = cli.with_home(args)
    assert {getattr(args, name) for name in cli.PATHS} == {"/home/ada/a b"} and args.label == "~"
    args = cli.parser().parse_args(["evaluate", "~/a", "b", "--data", "~/c", "--out=~/d"])
    args = cli.with_home(args)
    assert (args.run, args.out) == (["/home/ada/a", "b"], "/home/ada/d")


# ---- Ctrl-C


def interrupt(*args, **options):
    raise KeyboardInterrupt


@pytest.mark.parametrize("words, resumed", [("check digits", False), ("prepare digits", True)])
def test_ctrl_c_is_one_line(words, resumed, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("audiosynth.data.check.check_dataset", interrupt)
    monkeypatch.setattr("audiosynth.data.sources.prepare", interrupt)
    out = ["--out", str(tmp_path / "out")] if resumed else []
    with pytest.raises(SystemExit) as stop:
        cli.main([*words.split(), *out])
    assert stop.value.code == 130
    again = shlex.join(["audiosynth", *words.split(), *out])
    then = f"; to go on from here: {again}" if resumed else ""
    assert capsys.readouterr().err == f"audiosynth: stopped{then}\n"


def test_ctrl_c_during_the_import():
    code = (
        "import sys, runpy\n"
        "class Slow:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'audiosynth.cli':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Slow)\n"
        "from audiosynth.__main__ import main\n"
        "main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "audiosynth: stopped\n")


def test_ctrl_c_in_the_encoder_is_not_lost(monkeypatch):
    "It calls back into Python, where an exception is only printed."
    written = []

    def write(file, wave, rate, format):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        written.append(format)

    monkeypatch.setattr("soundfile.write", write)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            mp3_bytes(np.zeros(1000))
        assert written == ["MP3"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_printed_command_can_be_pasted(monkeypatch, capsys, tmp_path):
    key = {"screens": [], "loudness_lufs": None, "bytes": 0}
    monkeypatch.setattr("audiosynth.evaluation.listening_test.listening_test", lambda *a, **k: key)
    out = tmp_path / "my test"
    cli.main(["listen", "run", "--data", "digits", "--out", str(out)])
    line = capsys.readouterr().out.splitlines()[-1].split(": ", 1)[1]
    name, *words = shlex.split(line)
    assert cli.parser().parse_args(words).key == str(out / "key.json")


def test_a_dataset_that_is_not_there_is_named_as_it_was_given(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "digit", "--data", "nowhere", "--out", str(tmp_path / "run")])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1 and "dataset 'nowhere' is unknown" in said
