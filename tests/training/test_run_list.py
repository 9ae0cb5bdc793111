# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The list of runs: what it finds, and what it says where there is nothing to find."

import json
import subprocess
import sys

import pytest

from audiosynth import cli
from audiosynth.training.run_list import find_runs, run_table


def write_run(folder, row="wave", step=None, seconds=0.0, scores=None):
    (folder / "model").mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps({"format": 1, "row": row}))
    if step is not None:
        (folder / "model" / "model.json").write_text(json.dumps({"step": step, "seconds": seconds}))
    if scores:
        (folder / "scores").mkdir()
        rows = {folder.name: {"scores": scores}, "noise": {"scores": {"frechet": [99.0, 98, 100]}}}
        (folder / "scores" / "scores.json").write_text(json.dumps({"rows": rows}))


def test_the_table(tmp_path):
    write_run(tmp_path / "a", "digit", 1234, 59.4, {"frechet": [3.25, 3.0, 3.5], "am_score": None})
    write_run(tmp_path / "deep" / "er" / "run b", "stft_mag_previous", 0, 7300.0)
    write_run(tmp_path / "a" / "sounds" / "no_run_of_its_own")
    (tmp_path / "a" / "sounds" / "big.wav").write_bytes(bytes(2_500_000))
    lines = run_table(find_runs(tmp_path), tmp_path).split("\n")
    assert [line.split() for line in lines] == [
        ["run", "row", "step", "trained", "disk", "Fréchet"],
        ["a", "digit", "1,234", "59", "s", "2.5", "MB", "3.25"],
        ["deep/er/run", "b", "stft_mag_previous", "0", "2.0", "h", "0.0", "MB"],
    ]
    assert len({line.index(word) for line, word in zip(lines, ("disk", "2.5 MB", "0.0 MB"))}) <= 2
    ends = [line.index(word) + len(word) for line, word in zip(lines, ("disk", " MB", " MB"))]
    assert len(set(ends)) == 1


def test_a_run_itself_and_a_damaged_one(tmp_path, capsys):
    write_run(tmp_path / "good", step=3)
    write_run(tmp_path / "bad")
    (tmp_path / "bad" / "experiment.json").write_text("{")
    assert [run.step for run in find_runs(tmp_path / "good")] == [3]
    cli.main(["runs", str(tmp_path)])
    out = capsys.readouterr().out.splitlines()
    assert "bad/experiment.json: cannot be read" in out[0] and out[-1].startswith("good")


@pytest.mark.parametrize("name, says", {"none": "no such folder", ".": "no run here"}.items())
def test_nothing_to_list_is_one_line(name, says, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["runs", str(tmp_path / name)])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and says in said and said.count("\n") == 1


def test_the_list_needs_no_tensorflow(tmp_path):
    write_run(tmp_path / "run", step=1)
    code = "import sys; from audiosynth import cli; cli.main(['runs', sys.argv[1]])\n"
    code += "assert not {'tensorflow', 'keras', 'librosa'} & set(sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0 and run.stdout.count("\n") == 2, run.stderr
