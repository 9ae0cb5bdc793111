# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The package is what the notebooks export, and the notebooks are clean, run and free of errors."

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from chapters import NOTEBOOKS

from conftest import ROOT

NAME = dict(ids=lambda path: path.relative_to(ROOT / "nbs").with_suffix("").as_posix())


def nbdev(verb, folder):
    module, function = {"export": ("doclinks", "nbdev_export"), "clean": ("clean", "nbdev_clean")}[
        verb
    ]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    run = subprocess.run(
        [sys.executable, "-c", f"from nbdev.{module} import {function}; {function}()"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    "A copy of the book and the package, freshly exported and cleaned."
    folder = tmp_path_factory.mktemp("book")
    shutil.copy(ROOT / "settings.ini", folder)
    shutil.copytree(ROOT / "nbs", folder / "nbs", ignore=shutil.ignore_patterns(".*"))
    shutil.copytree(
        ROOT / "audiosynth",
        folder / "audiosynth",
        ignore=shutil.ignore_patterns("__pycache__", "embedded"),
    )
    nbdev("export", folder)
    nbdev("clean", folder)
    return folder


def modules(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*.py")
        if "embedded" not in path.relative_to(folder).parts
    }


def test_export_is_fresh(copy):
    committed, fresh = modules(ROOT / "audiosynth"), modules(copy / "audiosynth")
    stale = sorted(
        name for name in committed.keys() | fresh.keys() if committed.get(name) != fresh.get(name)
    )
    assert not stale, f"run nbdev_export and commit: {', '.join(stale)}"


@pytest.mark.parametrize("path", NOTEBOOKS, **NAME)
def test_notebook_is_clean(copy, path):
    assert json.loads((copy / path.relative_to(ROOT)).read_text()) == json.loads(
        path.read_text()
    ), "run nbdev_clean"


@pytest.mark.parametrize("path", NOTEBOOKS, **NAME)
def test_notebook_was_run(path):
    outputs = [
        output
        for cell in json.loads(path.read_text())["cells"]
        for output in cell.get("outputs", [])
    ]
    assert outputs, "no outputs stored: run the notebook and save it"
    wrong = [
        output
        for output in outputs
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    assert not wrong, f"stored errors or warnings: {str(wrong)[:2000]}"


def test_two_pages_that_show_one_run_show_the_same_weights():
    shown = {}
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text())["cells"]:
            for output in cell.get("outputs", []):
                text = "".join(output.get("text", []))
                for run, weights in re.findall(r"^run (.+): weights ([0-9a-f]{12})$", text, re.M):
                    shown.setdefault(run, {})[path.stem] = weights
    assert {"index", "first_sounds"} <= set(shown["digit_10"])
    assert all(len(set(pages.values())) == 1 for pages in shown.values()), shown


def test_every_notebook_is_run_by_a_test():
    parts = {path.parent.name for path in NOTEBOOKS} - {"nbs", "start"}  # these two: tests/book
    missing = [p for p in parts if not (ROOT / "tests" / p / f"test_{p}_chapters.py").exists()]
    assert not missing


def test_kernel_is_the_ordinary_one():
    for path in NOTEBOOKS:
        assert json.loads(path.read_text())["metadata"]["kernelspec"]["name"] == "python3", path


def test_the_repository_stays_light():
    "Notebooks and embedded clips; `python tools/lighten.py` makes pictures smaller."
    embedded = [p for p in (ROOT / "audiosynth" / "embedded").rglob("*") if p.is_file()]
    for what, paths, most in (("notebooks", NOTEBOOKS, 16e6), ("embedded", embedded, 24e6)):
        size = sum(path.stat().st_size for path in paths)
        assert size < most, f"{what}: {size / 1e6:.1f} MB"
