# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The core installs anywhere: what it imports it requires, and without the extras it still works."

import ast
import os
import subprocess
import sys
from configparser import ConfigParser

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from audiosynth.data.extras import EXTRAS
from conftest import ROOT

PARSER = ConfigParser(delimiters=["="])
PARSER.read(ROOT / "settings.ini", encoding="utf-8")
SETTINGS = PARSER["DEFAULT"]
PACKAGES = {  # what an import is called: what it comes with, where the names differ
    "sklearn": "scikit-learn",
    "keras": "tensorflow",
    "visqol": "visqol-python",
    "IPython": "ipywidgets",
}
UNSEEN = {"tensorboard"}  # `tf.summary` imports it
NAMED_BY_THE_USER = "tensorflow nbdev jupyterlab numpy librosa pretty-midi soundfile pesq".split()
NAMED_BY_THE_USER += "matplotlib ipywidgets".split()


def names(key):
    "Of the packages in a list of settings.ini."
    return {canonicalize_name(Requirement(word).name) for word in SETTINGS[key].split()}


def imports():
    "Top-level names that the package imports, also inside functions, without the standard library."
    found = set()
    for path in (ROOT / "audiosynth").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"audiosynth"}


def test_the_core_requires_what_it_imports_and_no_more():
    wanted = {canonicalize_name(PACKAGES.get(name, name)) for name in imports() - set(EXTRAS)}
    assert names("requirements") == wanted | UNSEEN


@pytest.mark.parametrize("module, extra", EXTRAS.items())
def test_the_extra_that_is_named_brings_the_package(module, extra):
    assert canonicalize_name(PACKAGES.get(module, module)) in names(f"{extra}_requirements")


def test_the_book_has_the_packages_of_the_project():
    assert set(NAMED_BY_THE_USER) <= names("requirements") | names("book_requirements")


# ---- in an interpreter that does not find them

WITHOUT = """
import importlib, pkgutil, sys
from pathlib import Path

MISSING = set(sys.argv[1].split())

class Blind:
    "A finder that does not find some packages."
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in MISSING:
            return self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Blind(finder) for finder in sys.meta_path]
for name in MISSING:
    assert importlib.util.find_spec(name) is None, name
"""
EVERY_MODULE = """
import audiosynth
from audiosynth.cli import main
for found in pkgutil.walk_packages(audiosynth.__path__, "audiosynth."):
    if found.name != "audiosynth.__main__":
        importlib.import_module(found.name)
assert not MISSING & {name.split(".")[0] for name in sys.modules}

import numpy as np
from audiosynth.data.extras import MissingExtra
from audiosynth.generation.latents import LatentExplorer
from audiosynth.generation.performance import PianoRollPanel
from audiosynth.listen import page, player
from audiosynth.robustness import quality
wave = np.sin(np.arange(16000) / 9)
assert quality.missing_scores() == list(quality.SCORES)
assert all(np.isnan(score) for score in quality.score_all(wave, wave).values())
page(Path("page.html"), "A page", [("", "", [("one", [("a", wave)])])])
for call in (
    lambda: quality.pesq(wave, wave), lambda: quality.visqol(wave, wave),
    lambda: quality.estoi(wave, wave), lambda: quality.dnsmos(wave), lambda: player(wave),
    lambda: LatentExplorer(None), lambda: PianoRollPanel(None, None),
):
    try:
        call()
    except (MissingExtra, ModuleNotFoundError) as error:
        print(error)
"""
VERB = """
from audiosynth.cli import main
main(sys.argv[2:])
"""
OTHERS = "nbdev jupyterlab librosa execnb ghapi pytest jupytext nbconvert sphinx pocketsphinx"


def without_extras(script, *words, folder):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + script, f"{' '.join(EXTRAS)} {OTHERS}", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_every_module_imports_and_a_function_names_its_extra(tmp_path):
    run = without_extras(EVERY_MODULE, folder=tmp_path)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert [line.split("[")[1] for line in lines] == ["scores]'"] * 4 + ["book]'"] * 3
    assert (tmp_path / "page.html").exists()


def test_the_command_has_its_help(tmp_path):
    run = without_extras(VERB, "--help", folder=tmp_path)
    assert run.returncode == 0 and "robustness" in run.stdout


@pytest.mark.parametrize("words", [["--repeats", "1"], ["--music", "arpeggios.flac"]])
def test_robustness_names_its_extra_and_leaves_nothing(words, tmp_path):
    pieces = ROOT / "audiosynth" / "embedded" / "piano"
    words = [str(pieces / word) if word.endswith(".flac") else word for word in words]
    run = without_extras(VERB, "robustness", *words, "--out", "study", folder=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("audiosynth: no quality metric for ")
    assert run.stderr.endswith("pip install 'audiosynth[scores]'\n") and run.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
