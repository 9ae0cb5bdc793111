# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Build the site: notebooks → nbdev's processors → a small fix-up → Sphinx → _site/.

Every notebook under nbs/ is a page, in the parts and the order of docs/parts.toml; a reference of
all exported names follows. Nothing is executed; the stored outputs are shown as they are."""

import ast
import importlib
import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import nbformat  # noqa: E402
import yaml  # noqa: E402
from nbdev.serve import proc_nbs  # noqa: E402
from sphinx.cmd.build import build_main  # noqa: E402

import audiosynth  # noqa: E402
import book  # noqa: E402
import reference  # noqa: E402
from audiosynth.gan.trained_model import load_model  # noqa: E402
from audiosynth.generation.play import play_page  # noqa: E402
from entries import entry  # noqa: E402
from old_addresses import redirects  # noqa: E402
from reference import label, markdown_entry  # noqa: E402

BUILD = ROOT / "_book"
PLAYED = "play/digit"  # the folder of the page that plays a ready model
INVITING = [Path("index.ipynb"), Path("start/01_quickstart.ipynb")]  # they open that model
HIDDEN = {
    "echo: false": "remove-input",
    "include: false": "remove-cell",
    "output: false": "remove-output",
}


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


# ---- a chapter: from what nbdev leaves to what Sphinx wants


def directives(cell):
    "Take the `#|` lines off a cell and return them."
    lines = cell.source.splitlines()
    found = [re.sub(r"^#\|\s*", "", line).strip() for line in lines if line.startswith("#|")]
    cell.source = "\n".join(line for line in lines if not line.startswith("#|")).strip("\n")
    return found


def title_cell(cell):
    "nbdev turns the title cell into front matter: back to a heading and a line of promise."
    front = yaml.safe_load(cell.source.strip().strip("-")) or {}
    return str(front.get("title", "")), str(front.get("description", ""))


def shown_name(cell):
    "`GAN.score` of a cell `show_doc(GAN.score)` that nbdev has added."
    found = cell.cell_type == "code" and re.search(r"^show_doc\(([\w.]+)", cell.source, re.M)
    return found[1] if found else None


def defined_in(source):
    "Names of the functions and classes of a cell, patched methods as `GAN.score`, in order."
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    found = []
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            patched = "patch" in map(ast.unparse, node.decorator_list)
            owner = f"{ast.unparse(node.args.args[0].annotation)}." if patched else ""
            found.append(owner + node.name)
    return found


def in_order(cells):
    "The entries of a cell's names stand before it, in the order in which it defines them."
    cells, placed = list(cells), []
    entries = {shown_name(cell): cell for cell in cells if shown_name(cell)}
    for cell in cells:
        if shown_name(cell):
            continue
        for name in defined_in(cell.source) if cell.cell_type == "code" else []:
            if name in entries:
                placed.append(entries.pop(name))
        placed.append(cell)
    return placed + list(entries.values())


def symbol_of(module, name):
    found = importlib.import_module(f"audiosynth.{module}")
    for part in name.split("."):
        found = found.__dict__[part] if isinstance(found, type) else getattr(found, part)
    return found


class Page:
    "A chapter as it is built: its title, its promise, its cells and the names it defines."

    def __init__(self, path, notebook):
        self.path, self.notebook = path, notebook
        self.module = book.module_of(path)
        self.title, self.promise, self.names, self.parameters = "", "", {}, {}
        self.imported = {}
        self.notebook.metadata.pop("widgets", None)
        self.notebook.cells = list(self.fixed(in_order(notebook.cells)))

    def fixed(self, cells):
        level = 1
        for cell in cells:
            if cell.cell_type == "raw" and cell.source.startswith("---"):
                self.title, self.promise = title_cell(cell)
                yield markdown(f"# {self.title}\n\n{{.promise}}\n{self.promise}")
            elif cell.cell_type == "markdown" and not cell.source.startswith("<!-- WARNING"):
                cell.source = re.sub(
                    r"^(?=\*\*[^*\n]+→[^*\n]+\*\*$)", "{.sentence}\n", cell.source, flags=re.M
                )
                headings = re.findall(r"^(#+) ", cell.source, re.M)
                level = len(headings[-1]) if headings else level
                yield cell
            elif name := shown_name(cell):
                if "__" not in name:  # of special methods the source says enough
                    yield self.entry_cell(name, min(level + 1, 4))
            elif cell.cell_type == "code":
                shown = directives(cell)
                self.imported |= imports(cell.source)
                cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
                cell.metadata["tags"] = [tag for line, tag in HIDDEN.items() if line in shown]
                if cell.source:
                    yield cell

    def entry_cell(self, name, level):
        found = entry(symbol_of(self.module, name), name)
        anchor = label(self.module, name)
        self.names[name] = anchor
        for method in found.methods:
            self.names.setdefault(method.name, anchor)
        cell = markdown(markdown_entry(found, anchor, level))
        self.parameters[cell.id] = set(re.findall(r"\w+", found.signature))
        return cell


def imports(source):
    "{name: (module, its name there)} of what a cell imports from the package."
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    return {
        alias.asname or alias.name: (node.module.removeprefix("audiosynth."), alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("audiosynth.")
        for alias in node.names
    }


# ---- links: `name` in the text leads to its entry, where it is clear which name is meant


def resolver(pages):
    "A function (page, name) → the anchor of the entry that is meant, or None."
    by_module = {page.module: page.names for page in pages if page.module}
    everywhere = {}
    for page in pages:
        for name, anchor in page.names.items():
            everywhere.setdefault(name, set()).add(anchor)
    unique = {
        name: next(iter(anchors))
        for name, anchors in everywhere.items()
        if len(anchors) == 1 and re.search(r"[._]|[a-z][A-Z]", name)
    }  # a lone word such as `seed` is more often a parameter than the function of another chapter
    public = {
        name: by_module.get(module, {}).get(name) for name, module in audiosynth._HOME.items()
    }

    def resolve(page, name):
        first, _, rest = name.partition(".")
        if name in page.names:
            return page.names[name]
        if first in page.imported:
            module, own = page.imported[first]
            found = by_module.get(module, {}).get(own + rest and f"{own}.{rest}" if rest else own)
            if found:
                return found
        return public.get(name) or unique.get(name)

    return resolve


def link(page, resolve):
    def linked(match):
        name = match[1]
        anchor = None if name in parameters else resolve(page, name)
        return f"[{match[0]}](#{anchor})" if anchor else match[0]

    for cell in page.notebook.cells:
        if cell.cell_type != "markdown":
            continue
        parameters = page.parameters.get(cell.id, ())
        lines, fenced = cell.source.split("\n"), False
        for i, line in enumerate(lines):
            if line.lstrip().startswith(("```", "~~~", ":::")):
                fenced = not fenced
            if not fenced and not line.startswith(("#", "(", "`")):
                cell_1, bar, rest = (
                    line.partition(" | ") if line.startswith("| ") else ("", "", line)
                )
                rest = re.sub(r"(?<![`\[])`([A-Za-z_][\w.]*)(?:\(\))?`(?![`\]])", linked, rest)
                lines[i] = cell_1 + bar + rest  # a table's first cell names what the row is about
        cell.source = "\n".join(lines)


# ---- the home page and the side bar


def toctree(caption, entries):
    lines = "\n".join(f"{title} <{page}>" for page, title in entries)
    caption = f":caption: {caption}\n" if caption else ""
    return f"```{{toctree}}\n:hidden:\n{caption}\n{lines}\n```"


def unlinked(text):
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)


def cards(pages, start="."):
    "A list that the style sheet shows as cards."
    lines = (
        f"- [{page.title}]({os.path.relpath(page.path, start)})\n  {unlinked(page.promise)}"
        for page in pages
    )
    return "{.cards}\n" + "\n".join(lines)


def document(path):
    return path.with_suffix("").as_posix()


def contents(parts, pages):
    "What the home page ends with: a card for every page, and the trees that make the side bar."
    for part in parts:
        chapters = [pages[path] for path in part.chapters()]
        entries = [(document(page.path), page.title) for page in chapters]
        text = f"## {part.caption}\n\n{cards(chapters)}"
        if part.engine_chapters():
            room = f"{part.name}/engine_room"
            entries.append((room, "Engine room"))
            names = ", ".join(pages[path].title for path in part.engine_chapters())
            text += f"\n\n{{.engine-room}}\n[Engine room]({room}.md): {names}"
        yield markdown(text)
        yield markdown(toctree(part.caption, entries))
    yield markdown(
        f"## Reference\n\n[All names, A to Z]({reference.INDEX}.md), and a page for each part."
    )
    yield markdown(toctree("Reference", reference.toc(parts)))


def invitation(path):
    "A link to the page that plays the ready model, for a chapter at `path`."
    there = os.path.relpath(f"{PLAYED}/index.html", path.parent)
    return markdown(
        f'<a class="play" href="{there}">Play this model in your browser</a>: pads for the ten '
        "words, a sequencer, and sliders through the space of latents. Every sound is generated "
        "there and then, on your device."
    )


def invite(path, page):
    "The link stands below the first cell that opens the ready model."
    cells = page.notebook.cells
    opens = [
        i
        for i, cell in enumerate(cells)
        if cell.cell_type == "code" and 'load_model("digit")' in cell.source
    ]
    assert opens, f"{path}: opens no ready model, so no link to its page can be placed"
    cells.insert(opens[0] + 1, invitation(path))


def engine_room(part, pages):
    "The page under which a part's chapters for readers of the code are collapsed."
    rooms = [pages[path] for path in part.engine_chapters()]
    entries = [(f"/{document(page.path)}", page.title) for page in rooms]
    return (
        f"# Engine room: {part.caption.lower()}\n\n{{.promise}}\n"
        "Chapters for readers of the code: the others can be read without them.\n\n"
        f"{cards(rooms, part.name)}\n\n{toctree('', entries)}\n"
    )


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_sources(source):
    "All pages, as Sphinx reads them. Returns the anchors of all entries."
    processed = proc_nbs(n_workers=0, force=True)
    parts = [part for part in book.parts() if part.notebooks()]
    pages = {
        path: Page(path, nbformat.read(processed / path, as_version=4))
        for path in [Path("index.ipynb"), *book.notebooks()]
    }
    resolve = resolver(list(pages.values()))
    for path in INVITING:
        invite(path, pages[path])
    for path, page in pages.items():
        link(page, resolve)
        if path.name == "index.ipynb":
            page.notebook.cells += contents(parts, pages)
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(page.notebook, source / path)
    for part in parts:
        if part.engine_chapters():
            write(source / part.name / "engine_room.md", engine_room(part, pages))
    for name, text in reference.pages(parts, pages).items():
        write(source / f"{name}.md", text)
    return {anchor for page in pages.values() for anchor in page.names.values()}


def build():
    os.chdir(ROOT)
    shutil.rmtree(BUILD, ignore_errors=True)
    source, out = BUILD / "pages", BUILD / "html"
    anchors = write_sources(source)
    options = ["-q", "-W", "--keep-going", "-c", str(ROOT / "docs"), "-d", str(BUILD / "doctrees")]
    status = build_main([*options, str(source), str(out)])
    if status == 0:
        for name, text in redirects(label, anchors).items():
            write(out / name, text)
        play_page(load_model(Path(PLAYED).name), out / PLAYED)
        shutil.rmtree(ROOT / "_site", ignore_errors=True)
        out.rename(ROOT / "_site")
    return status


if __name__ == "__main__":
    status = build()
    if status == 0:
        print(f"The site is in {ROOT / '_site'}: open {ROOT / '_site' / 'index.html'}")
    sys.exit(status)
