# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Options in a TOML file, and those that a run keeps."

import shlex

import pytest
from command import audiosynth

from audiosynth import cli
from audiosynth.data.files import InputError
from audiosynth.training.options import read_options, toml

WORDS = ["train", "digit", "--out", "run"]


def parsed(folder, text, *words):
    "The options of a command with a file."
    file = folder / "my options.toml"
    file.write_text(text)
    words = cli.with_config([*WORDS, "--config", str(file), *words])
    return cli.with_home(cli.parser().parse_args(words))


def test_options_of_the_command_line_win(tmp_path):
    text = 'steps = 7\nlearning-rate = 1e-4\njit = true\ndata = "x"\nbatch = 8\nseed = 3'
    text += '\ndevices = ["GPU:0", "GPU:1"]'
    args = parsed(tmp_path, text, "--batch", "4", "--seed=1")
    assert (args.row, args.steps, args.learning_rate, args.jit) == ("digit", 7, 1e-4, True)
    assert (args.batch, args.seed, args.devices) == (4, 1, ["GPU:0", "GPU:1"])
    assert args.save_minutes == 5.0 and args.mixed_precision is False


def test_the_folder_may_stand_in_the_file(tmp_path):
    file = tmp_path / "options.toml"
    file.write_text('out = "there"')
    words = cli.with_config(["train", f"--config={file}", "digit"])
    assert cli.parser().parse_args(words).out == "there"
    assert cli.with_config(["generate", "--config", "none"]) == ["generate", "--config", "none"]


WRONG = {
    "stepps = 4": "option 'stepps' is unknown: did you mean 'steps'",
    "game = 'r1'": "option 'game' is unknown",
    "steps = 'many'": "steps = many: must be a whole number",
    "steps = 1.5": "steps = 1.5: must be a whole number",
    "steps = true": "steps = True: must be a whole number",
    "minutes = 'x'": "minutes = x: must be a number",
    "jit = 1": "jit = 1: must be true or false",
    "devices = 'GPU:0'": "devices = GPU:0: must be a list of texts",
    "seed = -1": "seed: -1: give a whole number from 0 to",
    "[train]\nsteps = 4": "option 'train' is unknown",
    "[steps]\nx = 4": "must be a whole number",
    "[data]\nx = 4": "must be a text",
    "steps 4": "not a TOML file",
}


@pytest.mark.parametrize("text, says", WRONG.items())
def test_a_mistake_is_one_line_that_names_the_file(text, says, tmp_path):
    with pytest.raises(InputError, match="my options.toml: ") as error:
        parsed(tmp_path, text)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_no_such_file(tmp_path, capsys):
    for words in (["--config", str(tmp_path / "none.toml")], ["--config"]):
        with pytest.raises(SystemExit) as stop:
            cli.main([*WORDS, *words])
        said = capsys.readouterr().err
        assert stop.value.code == 2 and said.count("\n") == 1
        assert "none.toml: cannot be read" in said or "expected one argument" in said


@pytest.mark.parametrize("value", ["", 'a "b" \\ é\n\t', 0, 3, 1e-05, 0.5, True, [], ["a", "b"]])
def test_what_is_written_can_be_read(value, tmp_path):
    (tmp_path / "a.toml").write_text(toml({"option": value, "none": None}), encoding="utf-8")
    assert read_options(tmp_path / "a.toml") == {"option": value}


def test_a_run_keeps_its_options_and_they_make_it_again(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    done = audiosynth("train", "digit", "--steps", 1, "--width", 2, "--batch", 2, "--out", first)
    assert f"options of digit, kept in {shlex.quote(str(first))}/options.toml:" in done.stdout
    kept = read_options(first / "options.toml")
    assert kept["steps"] == 1 and kept["width"] == 2 and kept["data"] == "digits"
    assert kept["objective"] == "r1" and kept["learning_rate"] == 0.0004 and kept["seed"] == 0
    assert all(f"{name} = " in done.stdout for name in kept)
    audiosynth("train", "digit", "--config", first / "options.toml", "--out", second)
    for name in ("experiment.json", "options.toml", "log.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
