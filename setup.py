# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Name, version and dependencies are read from settings.ini, the one place for them."

from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).resolve().parent
parser = ConfigParser(delimiters=["="])
parser.read(here / "settings.ini", encoding="utf-8")
settings = parser["DEFAULT"]
first, last = settings["min_python"], settings["max_python"]
minors = range(int(first.split(".")[1]), int(last.split(".")[1]) + 1)
names = ("book", "scores", "recognise", "export", "dev", "gpu")
extras = {name: settings[f"{name}_requirements"].split() for name in names}
extras["all"] = extras["book"] + extras["scores"] + extras["recognise"] + extras["export"]
extras["dev"] += extras["all"]
extras["robustness"] = extras["scores"]  # its name in 0.1.0

setup(
    name=settings["lib_name"],
    version=settings["version"],
    description=settings["description"],
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    keywords=settings["keywords"],
    author=settings["author"],
    author_email=settings["author_email"],
    url=settings["git_url"],
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        f"Intended Audience :: {settings['audience']}",
        f"Natural Language :: {settings['language']}",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in minors),
    ],
    python_requires=f">={first},<3.{minors[-1] + 1}",
    packages=find_packages(include=[settings["lib_path"], settings["lib_path"] + ".*"]),
    package_data={settings["lib_path"]: ["embedded/**", "py.typed"]},
    install_requires=settings["requirements"].split(),
    extras_require={name: list(dict.fromkeys(wanted)) for name, wanted in extras.items()},
    entry_points={
        "console_scripts": settings["console_scripts"].split(),
        "nbdev": [f"{settings['lib_path']}={settings['lib_path']}._modidx:d"],
    },
    zip_safe=False,
)
