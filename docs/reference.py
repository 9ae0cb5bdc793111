# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""The reference: all public names from A to Z, and a page for each part with their entries.

An entry on these pages is an object of Sphinx's Python domain, so that a search finds it first."""

import ast
import importlib
import json
import re

import audiosynth
import book
from entries import COLUMNS, data_entry, entry

INDEX = "reference/index"


def label(module, name):
    "The anchor of an entry in a chapter; a class may differ from a function in its capital only."
    last = "-class" if name[:1].isupper() and "." not in name else ""
    return "api-" + re.sub(r"\W|_", "-", f"{module}-{name.lower()}") + last


def plain(text):
    return " ".join(str(text or "").split()).replace("|", "\\|")


def table(head, rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def parameter_table(rows):
    head = ["parameter", "default", "meaning"]
    rows = [(name, plain(default), plain(why)) for name, default, why in rows]
    if not any(default for _, default, _ in rows):
        head, rows = head[::2], [row[::2] for row in rows]
    return "{.parameters}\n" + table(head, rows)


def in_lines(name, signature):
    "A signature that is too long for a line, with one parameter on each."
    if len(name + signature) < COLUMNS - 12:
        return name + signature
    node = ast.parse(f"def _{signature.replace('…', '...')}: pass").body[0].args
    shown, depth, start = [], 0, 1
    body, _, arrow = signature.rpartition(")")
    for i, character in enumerate(body):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 1:
            shown.append(body[start:i].strip())
            start = i + 1
    shown.append(body[start:].strip())
    assert node  # it parses: nothing but Python is shown as Python
    return name + "(\n" + "".join(f"    {one},\n" for one in shown) + ")" + arrow


def markdown_entry(found, anchor, level):
    "An entry in a chapter: a heading, the signature, what it does, and a table of its parameters."
    parts = [f"({anchor})=\n{'#' * level} `{found.name}`"]
    if found.signature:
        parts.append(f"```{{code-block}} python\n:class: signature\n\n{shown(found)}\n```")
    if found.text:
        parts.append("{.summary}\n" + found.text)
    if found.rows:
        parts.append(parameter_table(found.rows))
    if found.methods:
        rows = [
            (f"`{plain(one.name.partition('.')[2] + one.signature)}`", first_paragraph(one))
            for one in found.methods
        ]
        parts.append("{.parameters}\n" + table(["method", "does"], rows))
    return "\n\n".join(parts)


def shown(found):
    return in_lines(found.name, found.signature)


def first_paragraph(found):
    return plain(found.text.split("\n\n")[0])


def toc(parts):
    "Pages of the reference and their titles in the side bar."
    named = [(f"reference/{part.name}", part.caption) for part in parts if part.modules()]
    return [(INDEX, "All names, A to Z"), *named]


def exports(module):
    "[(name, entry)] of what a module exports, in the order of its source."
    loaded = importlib.import_module(f"audiosynth.{module}")
    wanted, found = set(loaded.__all__), []
    source = (book.PACKAGE / (module.replace(".", "/") + ".py")).read_text()
    lines = source.split("\n")
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in wanted:
            found.append((node.name, entry(getattr(loaded, node.name), node.name)))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)):
                if name in wanted and name != "__all__":
                    alone = len(targets) == 1 and isinstance(targets[0], ast.Name)
                    value = ast.get_source_segment(source, node.value) if alone else ""
                    found.append((name, data_entry(name, value, comment_at(lines, node))))
    return list(dict(found).items())


def comment_at(lines, node):
    "The comment behind the first or the last line of a statement, or on the lines above it."
    for line in (lines[node.lineno - 1], lines[node.end_lineno - 1]):
        if found := re.search(r"  # (.+)$", line):
            return found[1]
    first, said = node.lineno - 2, []
    while re.match(r"# (?!%%)", lines[first]):
        said.insert(0, lines[first][2:])
        first -= 1
    return " ".join(said)


def object_entry(found, module, anchor, fence=6):
    "An entry as an object of the Python domain."
    ticks, name = "`" * fence, found.name.rpartition(".")[2]
    signature = "" if found.kind in ("data", "property") else found.signature
    lines = [f"{ticks}{{py:{found.kind}}} {name}{signature}"]
    if fence == 6:
        lines.append(f":module: audiosynth.{module}")
    if found.kind == "data" and found.signature:
        lines.append(f":value: {json.dumps(found.signature, ensure_ascii=False)}")
    lines.append("")
    if found.text:
        lines += [found.text, ""]
    if found.rows:
        lines += [parameter_table(found.rows), ""]
    for method in found.methods:
        kind = method.kind if method.kind == "property" else "method"
        method.kind = kind
        lines += [object_entry(method, module, anchor, fence - 1), ""]
    if fence == 6 and found.kind != "data":
        lines += [f"{{.where}}\n[In the chapter, with its source](#{anchor})", ""]
    return "\n".join([*lines, ticks])


def pages(parts, chapters):
    "{page: text} of the whole reference."
    texts, listed = {}, []
    for part in parts:
        modules = part.modules()
        if not modules:
            continue
        lines = [
            f"# Reference: {part.caption.lower() if part.caption != 'GAN' else 'GAN'}",
            f"{{.promise}}\nWhat the modules of this part export. [All names]({'index.md'})",
        ]
        for path in (*part.chapters(), *part.engine_chapters()):
            module = book.module_of(path)
            if not module:
                continue
            page = chapters[path]
            lines.append(f"## audiosynth.{module}")
            lines.append(f"[{page.title}](../{path.as_posix()}): {page.promise}")
            for name, found in exports(module):
                anchor = label(module, name)
                has_entry = name in page.names
                kept = object_entry(found, module, anchor)
                if not has_entry:
                    kept = re.sub(r"\{\.where\}\n.*\n", "", kept)
                lines.append(kept)
                listed.append((name, module, first_paragraph(found)))
        texts[f"reference/{part.name}"] = "\n\n".join(lines) + "\n"
    texts[INDEX] = index(listed)
    return texts


def reference_link(name, module):
    return f"{{py:obj}}`{name} <audiosynth.{module}.{name}>`"


def index(listed):
    "All names by their first letter, after those that `import audiosynth` offers."
    lines = [
        "# All public names, A to Z",
        "{.promise}\nEach name leads to its entry, with its signature and its parameters.",
        "## What `import audiosynth` offers",
    ]
    offered = [row for row in listed if audiosynth._HOME.get(row[0]) == row[1]]
    lines.append(names_table(offered))
    letters = {}
    for row in sorted(listed, key=lambda row: (row[0].strip("_").lower(), row[1])):
        letters.setdefault(row[0].strip("_")[0].upper(), []).append(row)
    for letter, rows in letters.items():
        lines += [f"## {letter}", names_table(rows)]
    return "\n\n".join(lines) + "\n"


def names_table(rows):
    shown = [(reference_link(name, module), f"`{module}`", what) for name, module, what in rows]
    return "{.parameters .names}\n" + table(["name", "module", "does"], shown)
