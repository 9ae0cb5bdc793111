# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"What `import audiosynth` offers, what it costs, and what an import of 0.1.0 says."

import ast
import importlib
import inspect
import os
import shutil
import subprocess
import sys

import pytest

import audiosynth
from audiosynth import _moved
from conftest import ROOT

PUBLIC = [name for name in audiosynth.__all__ if name != "__version__"]


def python(*words, folder=ROOT):
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


def test_import_is_lazy():
    run = python(
        "-c",
        "import sys, audiosynth, audiosynth.gan, audiosynth.data\n"
        "assert 'load_model' in dir(audiosynth) and audiosynth.__version__\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'librosa', 'matplotlib', 'audiosynth._moved'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "audiosynth.InputError\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)",
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name(name):
    value = getattr(audiosynth, name)
    assert value is getattr(audiosynth, name) and name in dir(audiosynth)
    assert audiosynth.__doc__ and (not callable(value) or inspect.getdoc(value))


def test_editors_see_the_same_names():
    "The `TYPE_CHECKING` block and `_HOME` say the same."
    tree = ast.parse((ROOT / "audiosynth" / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {a.name: node.module for node in block.body for a in node.names}
    assert seen == {name: f"audiosynth.{home}" for name, home in audiosynth._HOME.items()}
    assert set(PUBLIC) == set(audiosynth._HOME) and (ROOT / "audiosynth" / "py.typed").exists()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = audiosynth.nothing
    with pytest.raises(ModuleNotFoundError, match="No module named 'audiosynth.nothing'"):
        importlib.import_module("audiosynth.nothing")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from audiosynth.gan import nothing")


def test_prepare_knows_every_source():
    run = python(
        "-c",
        "import audiosynth; audiosynth.prepare; from audiosynth.data.prepare import SOURCES\n"
        "assert {'maestro', 'speech-mnist', 'fsdd', 'folder'} <= set(SOURCES), SOURCES",
    )
    assert run.returncode == 0, run.stdout


def test_python_m_audiosynth(tmp_path):
    version = python("-m", "audiosynth", "--version", folder=tmp_path)
    assert (version.returncode, version.stdout) == (0, f"audiosynth {audiosynth.__version__}\n")
    shown = python("-m", "audiosynth", "--help", folder=tmp_path)
    assert shown.returncode == 0 and shown.stdout.startswith("usage: audiosynth ")
    wrong = python("-m", "audiosynth", "train", "digit", "--game", "r1", "--out", "run")
    assert wrong.returncode == 2
    assert wrong.stdout == "audiosynth: --game is now --objective\n"


# ---- imports of 0.1.0


@pytest.mark.parametrize("module", _moved.MODULES)
def test_module_of_0_1_0(module):
    new = _moved.MODULES[module]
    assert (ROOT / "audiosynth" / (new.replace(".", "/") + ".py")).exists()
    if not (ROOT / "audiosynth" / module).is_dir():  # else: `test_import_of_0_1_0`
        with pytest.raises(ImportError, match=f"of 0.1.0 is now audiosynth.{new}"):
            importlib.import_module(f"audiosynth.{module}")
        if module not in PUBLIC:
            with pytest.raises(ImportError, match=f"of 0.1.0 is now audiosynth.{new}"):
                exec(f"from audiosynth import {module}")


def test_the_table_of_old_names_leads_somewhere():
    where = _moved.definers()
    lost = [
        f"{module}: {old} → {new}"
        for module in _moved.NAMES
        for old, new in _moved.pairs(module)
        if not _moved.home(module, new, where)
    ]
    assert not lost, "audiosynth/_moved.py names what is not there:\n" + "\n".join(lost)


@pytest.mark.parametrize(
    "statement, says",
    {
        "from audiosynth.experiments import load_model": "from audiosynth import load_model",
        "import audiosynth.experiments": "in audiosynth.gan.trained_model: .*load_model",
        "import audiosynth.datasets": "from audiosynth import Clips",
        "from audiosynth.lanes import in_lanes": r"simd_applies \(was in_lanes\)",
        "from audiosynth.gan import GAN": "from audiosynth.gan.model import GAN",
        "from audiosynth.gan import GAMES": "from audiosynth.gan.losses import OBJECTIVES",
        "from audiosynth.gan import steepness": "from audiosynth.gan.losses import gradient_norm",
        "from audiosynth.networks import NETWORKS": "from audiosynth.networks.registry import",
        "from audiosynth.representations import REPRESENTATIONS": "representations.registry",
    }.items(),
)
def test_import_of_0_1_0(statement, says):
    with pytest.raises(ImportError, match=says):
        exec(statement)


# ---- nbdev


def test_nbdev_keeps_what_is_written_by_hand(tmp_path):
    "`nbdev_export` changes the line with the version, and no other."
    from nbdev.config import update_version

    shutil.copy(ROOT / "audiosynth" / "__init__.py", tmp_path)
    before = (tmp_path / "__init__.py").read_text()
    update_version(tmp_path)
    assert (tmp_path / "__init__.py").read_text() == before
    (tmp_path / "__init__.py").write_text(before.replace('"0.1.0"', '"0.0.9"'))
    update_version(tmp_path)
    assert (tmp_path / "__init__.py").read_text() == before
