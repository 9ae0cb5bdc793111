# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Every notebook runs to its end, each in a process forked from one that has the package loaded."

import gc
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
LOADED = ["tensorflow", "keras", "librosa", "matplotlib.pyplot", "nbdev.test", "pytest"]
LOADED += [f"audiosynth.evaluation.{name}" for name in ("basis_atlas", "listening_test", "study")]
LOADED += ["audiosynth.generation.babble", "audiosynth.generation.latents"]
LOADED += ["audiosynth.robustness.run", "audiosynth.data.check"]  # and all that these import
processes.set_forkserver_preload(LOADED)  # only loaded: no operation has run, no thread started


def name(path):
    "Of a notebook, in a test's."
    return path.relative_to(ROOT / "nbs").with_suffix("").as_posix()


def of_parts(*parts):
    "The notebooks of some folders of the book; `.` is its top."
    found = [
        path for path in NOTEBOOKS if path.parent.relative_to(ROOT / "nbs").as_posix() in parts
    ]
    return pytest.mark.parametrize("path", found, ids=name)


def redirect(files):
    "What goes to some streams of this process and of its children goes to files instead."
    opened = {path: open(path, "w") for path in set(files.values())}
    for stream, path in files.items():
        os.dup2(opened[path].fileno(), stream.fileno())


def run(path, said):
    "In the new process: all that it and its children print goes to the file `said`."
    gc.freeze()  # what was loaded is not looked through again and again
    redirect({sys.stdout: said, sys.stderr: said})
    os.chdir(ROOT)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    )
    from joblib.externals.loky import get_reusable_executor
    from nbdev.test import test_nb

    passed, _ = test_nb(path, basepath=ROOT)
    get_reusable_executor().shutdown(kill_workers=True)  # idle, they would be waited for: 300 s
    sys.exit(not passed)


def check(path, folder):
    "Run a notebook; fail with what it said if it does not come to its end."
    notebook = processes.Process(target=run, args=(path, folder / "said"))
    notebook.start()
    notebook.join(SECONDS)
    status = notebook.exitcode
    notebook.kill()
    said = folder / "said"
    text = said.read_text(errors="replace")[-8000:] if said.exists() else ""
    if status:
        pytest.fail(f"{path.relative_to(ROOT)} failed:\n{text}", pytrace=False)
    if status is None:
        pytest.fail(
            f"{path.relative_to(ROOT)} was not done after {SECONDS} seconds:\n{text}", pytrace=False
        )
