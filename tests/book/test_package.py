# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The source archive and the wheel hold what an installed audiosynth needs."

import configparser
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from conftest import ROOT

pytest.importorskip("build", reason="needs the package build")
pytest.importorskip("setuptools")
SETTINGS = configparser.ConfigParser(delimiters=["="])
SETTINGS.read(ROOT / "settings.ini", encoding="utf-8")
SETTINGS = SETTINGS["DEFAULT"]
TOP = [
    "settings.ini",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "CONTRIBUTING.md",
    "constraints.txt",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    "Build both from a copy, so that nothing is left in the project; no network is needed."
    folder = tmp_path_factory.mktemp("build")
    source, out = folder / "source", folder / "dist"
    source.mkdir()
    for name in TOP:
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "audiosynth", source / "audiosynth", ignore=shutil.ignore_patterns("__pycache__")
    )
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--no-isolation",
            "--skip-dependency-check",
            "--outdir",
            str(out),
        ],
        cwd=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    with tarfile.open(next(out.glob("*.tar.gz"))) as archive:
        names = archive.getnames()
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        meta = {
            name.split("/")[-1]: wheel.read(name).decode()
            for name in wheel.namelist()
            if ".dist-info/" in name and "licenses" not in name
        }
        return {
            "sdist": {name.partition("/")[2] for name in names},
            "wheel": set(wheel.namelist()),
            "meta": meta,
        }


def package_files():
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "audiosynth").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_everything_is_in_both(built):
    assert package_files() <= built["wheel"] and "audiosynth/py.typed" in built["wheel"]
    assert package_files() | set(TOP) <= built["sdist"]


def test_settings_are_the_single_place(built):
    meta, points = built["meta"]["METADATA"], built["meta"]["entry_points.txt"]
    assert f"Name: {SETTINGS['lib_name']}\n" in meta and f"Version: {SETTINGS['version']}\n" in meta
    assert all(
        script.replace("=", " = ") in points for script in SETTINGS["console_scripts"].split()
    )
    assert meta.count("Requires-Dist: ") == sum(
        len(SETTINGS[key].split())
        for key in (
            "requirements",
            "dev_requirements",
            "robustness_requirements",
            "gpu_requirements",
            "robustness_requirements",
        )
    )  # in dev too
    assert (
        f'__version__ = "{SETTINGS["version"]}"'
        in (ROOT / "audiosynth" / "__init__.py").read_text()
    )


def test_constraints_cover_what_is_asked_for():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = [line for line in (ROOT / "constraints.txt").read_text().split() if "==" in line]
    pins = dict(line.split("==") for line in lines)
    for wanted in " ".join(
        SETTINGS[f"{kind}requirements"] for kind in ("", "dev_", "robustness_")
    ).split():
        wanted = Requirement(wanted)
        assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), wanted
