# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Every notebook runs to its end, each in a process forked from one that has TensorFlow loaded."

import multiprocessing
import os
import sys

import pytest

from conftest import ROOT

NOTEBOOKS = sorted(
    path for path in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
)
SECONDS = 900
processes = multiprocessing.get_context(
    "forkserver" if sys.platform == "linux" else "spawn"
)  # elsewhere loaded libraries do not survive a fork
processes.set_forkserver_preload(
    ["tensorflow", "keras", "librosa", "matplotlib.pyplot", "nbdev.test"]
)  # only loaded: no operation has run, no thread been started


def run(path, said):
    "In the new process: all that it and its children print goes to the file `said`."
    with open(said, "w") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    )
    from joblib.externals.loky import get_reusable_executor
    from nbdev.test import test_nb

    passed, _ = test_nb(path, basepath=ROOT)
    get_reusable_executor().shutdown(kill_workers=True)  # idle, they would be waited for: 300 s
    sys.exit(not passed)


@pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=lambda path: path.relative_to(ROOT / "nbs").with_suffix("").as_posix()
)
def test_notebook_runs(path, tmp_path):
    notebook = processes.Process(target=run, args=(path, tmp_path / "said"))
    notebook.start()
    notebook.join(SECONDS)
    status = notebook.exitcode
    notebook.kill()
    said = (tmp_path / "said").read_text(errors="replace") if (tmp_path / "said").exists() else ""
    if status:
        pytest.fail(f"{path.relative_to(ROOT)} failed:\n{said[-8000:]}", pytrace=False)
    if status is None:
        pytest.fail(
            f"{path.relative_to(ROOT)} was not done after {SECONDS} seconds:\n{said[-8000:]}",
            pytrace=False,
        )
