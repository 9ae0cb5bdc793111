# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The book as a tree: parts in reading order, their chapters, and the modules that they export."

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NBS, PACKAGE = ROOT / "nbs", ROOT / "audiosynth"


@dataclass(frozen=True)
class Part:
    name: str  # the folder nbs/<name>/, or the notebook nbs/<name>.ipynb
    caption: str  # in the side bar
    layer: int | None = None  # None: exports nothing
    engine_room: tuple[str, ...] = ()  # stems of chapters

    def notebooks(self):
        "Paths of all chapters, relative to nbs/, in reading order."
        alone = NBS / f"{self.name}.ipynb"
        found = [alone] if alone.exists() else sorted((NBS / self.name).glob("*.ipynb"))
        return [path.relative_to(NBS) for path in found]

    def chapters(self):
        "What everyone reads."
        return [path for path in self.notebooks() if stem(path) not in self.engine_room]

    def engine_chapters(self):
        "What stands at the end of the part, collapsed."
        return [path for path in self.notebooks() if stem(path) in self.engine_room]

    def modules(self):
        "Names of the modules that the chapters export, as `gan.losses`, in reading order."
        order = [*self.chapters(), *self.engine_chapters()]
        return [name for name in map(module_of, order) if name]


def stem(path):
    "`losses` of gan/01_losses.ipynb: chapters do not know their numbers."
    return re.sub(r"^\d+[a-z]?_", "", Path(path).stem)


def module_of(path):
    "What a notebook exports, as `gan.losses`; None if it exports nothing."
    for cell in json.loads((NBS / path).read_text())["cells"]:
        if found := re.search(r"^#\| *default_exp +(\S+)", "".join(cell["source"]), re.MULTILINE):
            return found[1]


def parts():
    "All parts, in reading order."
    table = tomllib.loads((ROOT / "docs" / "parts.toml").read_text())
    return [
        Part(name, row["caption"], row.get("layer"), tuple(row.get("engine_room", ())))
        for name, row in table.items()
    ]


def notebooks():
    "Every notebook of the book but the home page, in reading order."
    return [path for part in parts() for path in part.notebooks()]
