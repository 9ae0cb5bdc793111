# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Build the site: notebooks → nbdev's processors → a small fix-up → Sphinx → _site/.

Every notebook under nbs/ is a page: index, then the chapters by number, then nbs/results.
Nothing is executed but what the API entries need; the stored outputs are shown as they are."""

import inspect
import os
import re
import shutil
import sys
from pathlib import Path

import nbdev.showdoc
import nbformat
from fastcore.docments import MarkdownRenderer, docments
from nbdev.serve import proc_nbs
from sphinx.cmd.build import build_main

root = Path(__file__).resolve().parent.parent
book = root / "_book"
HIDDEN = {
    "echo: false": "remove-input",
    "include: false": "remove-cell",
    "output: false": "remove-output",
}


# One API entry: a heading, the signature, what it does, and a table of its parameters (or methods).


def plain(text):
    return " ".join(str(text or "").split()).replace("|", "\\|")


def signature(name, symbol):
    try:
        text = str(inspect.signature(symbol))
    except (TypeError, ValueError):
        return name
    text = re.sub(
        r"\(self(, )?", "(", re.sub(r"<(?:function|class) '?([\w.]+).*?>", r"\1", text), count=1
    )
    return name + re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", text).replace(" -> ", " → ")


def summary(symbol):
    return inspect.cleandoc(getattr(symbol, "__doc__", None) or "")


def parameter_rows(symbol):
    "Rows (name, default, meaning) of the documented parameters, and of what is returned."
    try:
        found = docments(symbol, full=True, returns=True)
    except (TypeError, ValueError, OSError, AttributeError):
        return []
    rows = []
    for name, parameter in found.items():
        meaning, default = plain(parameter.get("docment")), parameter.get("default", inspect._empty)
        if name == "self" or not meaning:
            continue
        rows.append(
            (
                "*returns*" if name == "return" else f"`{name}`",
                ""
                if default is inspect._empty or name == "return"
                else f"`{plain(repr(default))}`",
                meaning,
            )
        )
    return rows


def methods(symbol):
    "The public methods and properties that a class defines and documents itself."
    found = {
        name: getattr(value, "__func__", value)
        for name, value in vars(symbol).items()
        if name[0] != "_"
    }
    return {
        name: value
        for name, value in found.items()
        if (callable(value) or isinstance(value, property)) and summary(value)
    }


def table(head, rows):
    return "\n".join(["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]])


class Entry(MarkdownRenderer):
    "What `show_doc` shows on the site."

    def _repr_markdown_(self):
        symbol, name = self.sym, self.nm
        parts = [f"({target(name)})=\n### `{name}`"]
        if signature(name, symbol) != name:
            parts.append(f"{{.signature}}\n`{signature(name, symbol)}`")
        if summary(symbol):
            parts.append("{.summary}\n" + summary(symbol))
        rows = parameter_rows(symbol)
        head = ["parameter", "default", "meaning"]
        if not any(row[1] for row in rows):
            head, rows = head[::2], [row[::2] for row in rows]
        if rows:
            parts.append("{.parameters}\n" + table(head, rows))
        if inspect.isclass(symbol) and methods(symbol):
            rows = [
                (f"`{signature(key, value)}`", plain(summary(value).split("\n\n")[0]))
                for key, value in methods(symbol).items()
            ]
            parts.append("{.parameters}\n" + table(["method", "does"], rows))
        return "\n\n".join(parts)


def target(name):
    "The label that links to `name` point to; a class may differ from a function in its capital only."
    return (
        "api-"
        + re.sub(r"\W", "-", name.lower())
        + ("-class" if name[0].isupper() and "." not in name else "")
    )


# The fix-up: from what nbdev leaves to what Sphinx wants.


def directives(cell):
    "Take the `#|` lines off a cell and return them."
    lines = cell.source.splitlines()
    found = [re.sub(r"^#\|\s*", "", line).strip() for line in lines if line.startswith("#|")]
    cell.source = "\n".join(line for line in lines if not line.startswith("#|")).strip("\n")
    return found


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def title_cell(cell):
    "nbdev turns the title cell into front matter: back to a heading and a line of promise."
    import yaml

    front = yaml.safe_load(cell.source.strip().strip("-")) or {}
    return str(front.get("title", "")), str(front.get("description", ""))


def fix_up(notebook):
    "The title of a page, its line of promise, and its cells."
    title, promise, cells, level = "", "", [], 1
    for cell in notebook.cells:
        if cell.cell_type == "raw" and cell.source.startswith("---"):
            title, promise = title_cell(cell)
            cells.append(markdown(f"# {title}\n\n{{.promise}}\n{promise}"))
        elif cell.cell_type == "markdown" and not cell.source.startswith("<!-- WARNING"):
            cell.source = re.sub(
                r"^(?=\*\*[^*\n]+→[^*\n]+\*\*$)", "{.sentence}\n", cell.source, flags=re.MULTILINE
            )
            headings = re.findall(r"^(#+) ", cell.source, re.MULTILINE)
            level = len(headings[-1]) if headings else level
            cells.append(cell)
        elif cell.cell_type == "code":
            shown = directives(cell)
            if re.match(r"show_doc\([\w.]*\b__\w+__", cell.source):
                continue  # the source says enough
            if cell.source.startswith("show_doc("):
                text = "".join(
                    output["data"].get("text/markdown", "")
                    for output in cell.outputs
                    if "data" in output
                )
                cells.append(
                    markdown(text.replace("\n### ", "\n" + "#" * min(level + 1, 4) + " ", 1))
                )
                continue
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            cell.metadata["tags"] = [tag for line, tag in HIDDEN.items() if line in shown]
            if cell.source:
                cells.append(cell)
    return title, promise, cells


def link(cells, names):
    "`name` in the text becomes a link to its entry."

    def linked(match):
        return f"[{match[0]}](#{names[match[1]]})" if match[1] in names else match[0]

    for cell in cells:
        if cell.cell_type != "markdown":
            continue
        lines, fenced = cell.source.split("\n"), False
        for i, line in enumerate(lines):
            if line.lstrip().startswith(("```", "~~~", ":::")):
                fenced = not fenced
            if not fenced and not line.startswith(("#", "(", "`")):
                lines[i] = re.sub(r"(?<![`\[])`([A-Za-z_][\w.]*)(?:\(\))?`(?![`\]])", linked, line)
        cell.source = "\n".join(lines)


def api_names(cells):
    "Which names the entries on a page define: `Clips`, and `Clips.where` from its table of methods."
    names = {}
    for cell in cells:
        entry = (
            re.match(r"\((api-[\w-]+)\)=\n#+ `([\w.]+)`", cell.source)
            if cell.cell_type == "markdown"
            else None
        )
        if not entry:
            continue
        names[entry[2]] = entry[1]
        for method in re.findall(r"^\| `(\w+)\(?[^|]*` \| [^|]* \|$", cell.source, re.MULTILINE):
            names.setdefault(f"{entry[2]}.{method}", entry[1])
    return names


def toctree(caption, entries):
    lines = "\n".join(f"{title} <{page}>" for page, title in entries)
    return markdown(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```")


def unlinked(text):
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)


def contents(titles, promises):
    "What the home page ends with: a card for every page, and the trees that make the side bar."
    chapters = {
        path: f"{number[1].lstrip('0')} · {title}"
        for path, title in titles.items()
        if (number := re.match(r"(\d\d[a-z]?)_", str(path)))
    }
    results = {path: title for path, title in titles.items() if path.parts[0] == "results"}
    cells = []
    for caption, entries in [("Chapters", chapters), ("Results", results)]:
        if not entries:
            continue
        cards = "\n".join(
            f"- [{title}]({path.as_posix()})\n  {unlinked(promises[path])}"
            for path, title in entries.items()
        )
        cells.append(markdown(f"## {caption}\n\n{{.cards}}\n{cards}"))
        cells.append(
            toctree(
                caption,
                [(path.with_suffix("").as_posix(), title) for path, title in entries.items()],
            )
        )
    return cells


def build():
    os.chdir(root)
    sys.path.insert(0, str(root))
    nbdev.showdoc.BasicMarkdownRenderer = Entry
    processed = proc_nbs(n_workers=0, force=True)
    shutil.rmtree(book, ignore_errors=True)
    source, out = book / "pages", book / "html"
    pages = {
        path.relative_to(processed): nbformat.read(path, as_version=4)
        for path in sorted(processed.rglob("*.ipynb"))
    }
    titles, promises, names, own = {}, {}, {}, {}
    for path, notebook in pages.items():
        titles[path], promises[path], notebook.cells = fix_up(notebook)
        for cell in notebook.cells:
            cell.source = re.sub(
                r"^\(api-", f"(api-{path.stem.partition('_')[2]}-", cell.source
            )  # two chapters may use one name
        own[path] = api_names(notebook.cells)
        names.update(own[path])
        notebook.metadata.pop("widgets", None)
    for path, notebook in pages.items():
        link(notebook.cells, names | own[path])
        if str(path) == "index.ipynb":
            notebook.cells += contents(titles, promises)
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, source / path)
    status = build_main(
        [
            "-q",
            "-W",
            "--keep-going",
            "-c",
            str(root / "docs"),
            "-d",
            str(book / "doctrees"),
            str(source),
            str(out),
        ]
    )
    if status == 0:
        shutil.rmtree(root / "_site", ignore_errors=True)
        out.rename(root / "_site")
    return status


if __name__ == "__main__":
    status = build()
    if status == 0:
        print(f"The site is in {root / '_site'}: open {root / '_site' / 'index.html'}")
    sys.exit(status)
