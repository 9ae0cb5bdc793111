# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The source archive and the wheel hold what an installed audiosynth needs."

import configparser
import re
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
EXTRAS = ("book", "scores", "recognise", "export", "dev", "gpu")
TOP = [
    "settings.ini",
    "setup.py",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "CONTRIBUTING.md",
    "constraints.txt",
    "CHANGELOG.md",
    "CITATION.cff",
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
    lines = [line.partition(": ") for line in meta.splitlines()]
    extras = {value for key, _, value in lines if key == "Provides-Extra"}
    assert extras == {*EXTRAS, "all", "robustness"}
    needed = [value for key, _, value in lines if key == "Requires-Dist"]
    core = [value for value in needed if "extra ==" not in value]
    assert len(core) == len(SETTINGS["requirements"].split())
    counts = {name: sum(f'extra == "{name}"' in value for value in needed) for name in extras}
    wanted = {name: set(SETTINGS[f"{name}_requirements"].split()) for name in EXTRAS}
    wanted["robustness"] = wanted["scores"]
    wanted["all"] = set.union(*(wanted[name] for name in EXTRAS[:4]))
    wanted["dev"] |= wanted["all"]
    assert counts == {name: len(packages) for name, packages in wanted.items()}
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
        SETTINGS[f"{kind}requirements"] for kind in ("", *(f"{name}_" for name in EXTRAS[:5]))
    ).split():
        wanted = Requirement(wanted)
        assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), wanted


def test_the_readme_reads_right_on_a_package_index():
    targets = re.findall(r"\]\(([^)\s]+)\)", (ROOT / "README.md").read_text())
    assert targets and all(target.startswith("https://") for target in targets)
    ours = "https://github.com/audiosynth/audiosynth/"
    files = [target.split("/main/")[1] for target in targets if target.startswith(ours)]
    assert files and all((ROOT / file).exists() for file in files)
