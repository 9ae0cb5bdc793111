# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The book stands in parts: arrows point down only, one layout for all code, the field's words."

import ast
import json
import re
import subprocess
import sys
from contextlib import suppress

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import book  # noqa: E402

PARTS = {part.name: part for part in book.parts()}
WRITTEN = ["__init__", "__main__", "_moved"]  # by hand; the others are exported
# Cells that may be longer than 30 lines, by a piece of them: public signatures with their types,
# and classes or tables that are one thing. Docstrings do not count.
LONG_CELLS = [
    "class Row:",
    "class GAN(keras.Model):",
    "def train(\n",
    "def resume(\n",
    "def fit_run(\n",
    "def train_basis(\n",
    "class Log(keras.callbacks.Callback):",
    "class TrainedBasis:",
    "def study(\n",
    "def evaluate(\n",
    "def listening_test(\n",
    "def robustness(\n",
    "class Representation:",
    "class RealClips:",
    "class Reference(RealClips):",
    "class HeldOutDistance:",
    "def score_predictions(\n",
    "def write_test(\n",
    "def prepare(\n",
    '"digit": Row(',
]


def modules():
    "{dotted name below `audiosynth`: path} of all that is exported."
    return {
        ".".join(path.relative_to(book.PACKAGE).with_suffix("").parts): path
        for path in sorted(book.PACKAGE.rglob("*.py"))
        if not path.name.startswith("_") and path.name != "__init__.py"
    }


def imported(name, path, known):
    "Modules that a module imports, also inside functions."
    package = ["audiosynth", *name.split(".")][:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            found = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for words in found:
            for end in range(len(words), 1, -1):
                dotted = ".".join(words[1:end])
                if words[0] == "audiosynth" and dotted in known:
                    yield dotted
                    break


@pytest.fixture(scope="module")
def graph():
    known = modules()
    return {name: set(imported(name, path, known)) - {name} for name, path in known.items()}


def circle(graph):
    "The nodes of a circle, or []."
    done, path = set(), []

    def visit(node):
        if node in path:
            return [*path[path.index(node) :], node]
        if node not in done:
            path.append(node)
            for below in sorted(graph.get(node, ())):
                if found := visit(below):
                    return found
            path.pop()
            done.add(node)
        return []

    return next(filter(None, map(visit, sorted(graph))), [])


def test_every_module_is_a_chapter_of_a_part():
    chapters = {name for part in PARTS.values() for name in part.modules()}
    assert chapters == set(modules())
    for part in PARTS.values():
        stems = {book.stem(path) for path in part.notebooks()}
        assert set(part.engine_room) <= stems, f"docs/parts.toml: {part.name} has no such chapters"


def test_no_circle(graph):
    assert not circle(graph), " → ".join(circle(graph))
    parts = {name.split(".")[0]: set() for name in graph}
    for name, below in graph.items():
        own = name.split(".")[0]
        parts[own] |= {other.split(".")[0] for other in below} - {own}
    assert not circle(parts), " → ".join(circle(parts))


def test_the_circle_finder_finds_circles():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_no_import_from_a_later_part(graph):
    layer = {name: PARTS[name.split(".")[0]].layer for name in graph}
    wrong = [f"{a} → {b}" for a, below in graph.items() for b in below if layer[a] < layer[b]]
    assert not wrong, "\n".join(wrong)


def test_a_chapter_imports_earlier_chapters_or_the_engine_room(graph):
    wrong = []
    for part in PARTS.values():
        order = [book.module_of(path) for path in part.chapters()]
        places = {name: i for i, name in enumerate(order) if name}
        for name in places:
            later = [b for b in graph[name] if places.get(b, -1) > places[name]]
            wrong += [f"{name} → {b}" for b in later]
    assert not wrong, "\n".join(wrong)


def test_links_between_chapters_lead_to_chapters():
    broken = []
    for path in sorted(book.NBS.rglob("*.ipynb")):
        if ".ipynb_checkpoints" not in path.parts:
            for link in re.findall(r"\]\(([\w./]+\.ipynb)[#)]", path.read_text()):
                if not (path.parent / link).exists():
                    broken.append(f"{path.relative_to(book.NBS)}: {link}")
    assert not broken, "\n".join(broken)


# ---- layout


def ruff(*words):
    run = subprocess.run(
        [sys.executable, "-m", "ruff", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout[-4000:]


FOLDERS = ["nbs", "tests", "tools", "docs", "benchmarks", "setup.py"]
BY_HAND = [f"audiosynth/{name}.py" for name in WRITTEN]


@pytest.mark.parametrize("place", [*FOLDERS, *BY_HAND])
def test_formatted_and_linted(place):
    pytest.importorskip("ruff")
    ruff("format", "--check", "--quiet", place)
    ruff("check", "--quiet", "--output-format", "concise", place)


def code_cells():
    for path in sorted(book.NBS.rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "code":
                yield path.relative_to(book.NBS).as_posix(), "".join(cell["source"])


def test_no_line_over_100_columns():
    wrong = [
        f"{name}: {line[:60]}…"
        for name, source in code_cells()
        for line in source.split("\n")
        if len(line) > 100
    ]
    for path in sorted(book.PACKAGE.rglob("*.py")):
        if path.name == "_modidx.py":
            continue
        source = path.read_text()
        listed = re.search(r"^__all__ = \[.*?\]$", source, re.M | re.S)
        skipped = {*(listed[0] if listed else "").split("\n")}
        wrong += [
            f"{path.relative_to(ROOT)}: {line[:60]}…"
            for line in source.split("\n")
            if len(line) > 100 and line not in skipped
        ]
    assert not wrong, "\n".join(wrong)


def lines(source):
    "Lines of a cell without its docstrings, which list parameters."
    count = len(source.splitlines())
    with suppress(SyntaxError):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
                count -= node.body[0].end_lineno - node.body[0].lineno
    return count


def test_no_cell_over_30_lines():
    long = [
        f"{name}: {lines(source)} lines: {source[:80]!r}"
        for name, source in code_cells()
        if lines(source) > 30 and not any(piece in source for piece in LONG_CELLS)
    ]
    assert not long, "\n".join(long)


PRIVATE = r"\b(price|prices|paid|told|heard|hears|Hears|asked|GAMES|folded)\b"


def test_the_words_are_the_fields():
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted(book.PACKAGE.rglob("*.py"))
        if path.name not in ("_moved.py", "_modidx.py")  # the table of old names; nbdev's index
        for line in path.read_text().split("\n")
        if re.search(PRIVATE, line)
    ]
    assert len(found) < 25, "\n".join(found)
