# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""One entry for each exported name: its signature, what it does, and what its parameters mean.

A meaning is the comment behind a parameter (docments), or what a section `Parameters` or `Args`
of the docstring says. A comment behind several parameters on one line belongs to all of them."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from dataclasses import dataclass, field

COLUMNS = 100


@dataclass
class Entry:
    name: str  # `GAN`, `GAN.score`
    kind: str  # function, class, method, property, data
    signature: str = ""  # "(z, label=None) -> list"
    text: str = ""  # the docstring, without its sections of parameters
    rows: list = field(default_factory=list)  # (parameter or parameters, default, meaning)
    methods: list = field(default_factory=list)  # entries of a class's own methods


def entry(symbol, name, *, defined=()):
    "The entry of a function or class; `defined` are the methods that other cells patched in."
    kind = "class" if inspect.isclass(symbol) else "function"
    if isinstance(symbol, property):
        kind, symbol = "property", symbol.fget
    symbol = inspect.unwrap(getattr(symbol, "__func__", symbol))
    text, told = sections(inspect.getdoc(symbol) if owns_docstring(symbol) else "")
    rows = parameter_rows(symbol, told)
    found = Entry(name, kind, "" if kind == "property" else signature(symbol), text, rows)
    if kind == "class":
        found.methods = [
            entry(value, f"{name}.{key}")
            for key, value in vars(symbol).items()
            if key[0] != "_" and is_method(value) and (documented(value) or key in defined)
        ]
    return found


def data_entry(name, source, comment=""):
    "The entry of a constant: how its value is written, as far as it fits on a line."
    value = " ".join(source.split())
    return Entry(name, "data", value if len(value) < COLUMNS else "", comment)


def owns_docstring(symbol):
    "A dataclass without a docstring gets its signature as one: that is no text."
    text = getattr(symbol, "__doc__", None) or ""
    return not (inspect.isclass(symbol) and text.startswith(f"{symbol.__name__}("))


def is_method(value):
    value = getattr(value, "__func__", value)
    return inspect.isfunction(value) or isinstance(value, property)


def documented(value):
    return bool(getattr(getattr(value, "__func__", value), "__doc__", None))


# ---- signatures


def definition(symbol):
    "The parsed `def` or `class` of a symbol, and its source; (None, '') if there is none."
    try:
        source = textwrap.dedent(inspect.getsource(symbol))
        return ast.parse(source).body[0], source
    except (OSError, TypeError, SyntaxError, IndexError):
        return None, ""


def initialiser(symbol):
    "What documents a class's parameters: its fields if it is a dataclass, else its `__init__`."
    if inspect.isclass(symbol) and not hasattr(symbol, "__dataclass_fields__"):
        return symbol.__dict__.get("__init__")
    return symbol


def written_defaults(node):
    "{parameter or field: the source of its default}."
    if isinstance(node, ast.ClassDef):
        fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and n.value is not None]
        return {n.target.id: ast.unparse(n.value) for n in fields}
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return {}
    placed = [*node.args.posonlyargs, *node.args.args]
    pairs = [*zip(placed[::-1], node.args.defaults[::-1])]
    pairs += zip(node.args.kwonlyargs, node.args.kw_defaults)
    return {arg.arg: ast.unparse(value) for arg, value in pairs if value is not None}


def default_text(parameter, written):
    "A default as a reader would type it: its value if that is a plain one, else its source."
    value, text = parameter.default, repr(parameter.default)
    plain = value is None or isinstance(value, (bool, int, float, str, tuple, list, dict))
    if plain and " at 0x" not in text and "<" not in text and len(text) <= 60:
        return text
    if parameter.name in written:
        return re.sub(r"^field\(default_factory=(\w+)\)$", r"\1()", written[parameter.name])
    return getattr(value, "__name__", "…")


def annotation_text(annotation):
    "A type without the path to it."
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = re.sub(r"<class '([^']*)'>", r"\1", text)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text)


def parameters_of(symbol):
    "The parameters that a caller gives, without `self`."
    source = initialiser(symbol)
    if source is None:
        return [], inspect.Signature.empty, {}
    try:
        found = inspect.signature(source)
    except (TypeError, ValueError):
        return [], inspect.Signature.empty, {}
    kept = [p for p in found.parameters.values() if p.name not in ("self", "cls")]
    result = inspect.Signature.empty if inspect.isclass(symbol) else found.return_annotation
    return kept, result, written_defaults(definition(source)[0])


def signature(symbol):
    "As `(wave, *, rate=16000) -> ndarray`."
    parameters, result, written = parameters_of(symbol)
    shown, before = [], None
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and before not in (p.KEYWORD_ONLY, p.VAR_POSITIONAL):
            shown.append("*")
        if before is p.POSITIONAL_ONLY and p.kind is not p.POSITIONAL_ONLY:
            shown.append("/")
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        text, typed = star + p.name, p.annotation is not p.empty
        if typed:
            text += f": {annotation_text(p.annotation)}"
        if p.default is not p.empty:
            text += (" = " if typed else "=") + default_text(p, written)
        shown.append(text)
        before = p.kind
    if before is inspect.Parameter.POSITIONAL_ONLY:
        shown.append("/")
    arrow = "" if result is inspect.Signature.empty else f" -> {annotation_text(result)}"
    return f"({', '.join(shown)}){arrow}"


# ---- what the parameters mean


def arguments(node):
    "[(name, first line, last line)] of the parameters of a function or the fields of a class."
    if isinstance(node, ast.ClassDef):
        fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
        return [(n.target.id, n.lineno, n.end_lineno) for n in fields]
    args = node.args
    every = [*args.posonlyargs, *args.args, args.vararg, *args.kwonlyargs, args.kwarg]
    ends = {}
    for arg, value in [
        *zip([*args.posonlyargs, *args.args][::-1], args.defaults[::-1]),
        *zip(args.kwonlyargs, args.kw_defaults),
    ]:
        ends[arg] = value.end_lineno if value is not None else arg.end_lineno
    return [(arg.arg, arg.lineno, ends.get(arg, arg.end_lineno)) for arg in every if arg]


def comments(source):
    "{line: (comment, whether it has the line for itself)}."
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            found[token.start[0]] = (token.string.lstrip("# ").strip(), alone)
    return found


def commented(symbol):
    "[(names, meaning)] from the comments in a definition; names ('return',) for what is returned."
    node, source = definition(initialiser(symbol))
    if node is None or not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return []
    said, used, rows = comments(source), set(), []
    lines = {}
    for name, _, last in arguments(node):
        if name not in ("self", "cls"):
            lines.setdefault(last, []).append(name)
    for line, names in sorted(lines.items()):
        if line in said and not said[line][1]:
            meaning, after = [said[line][0]], line + 1
            while after in said and said[after][1] and after not in lines:
                meaning.append(said[after][0])  # a comment that goes on below
                after += 1
            rows.append((tuple(names), " ".join(meaning)))
            used.add(line)
    if isinstance(node, ast.FunctionDef):
        last = max(lines, default=node.lineno)
        together = len(lines) == 1 and len(lines[last]) > 1 and not rows  # all on one line
        names = tuple(lines[last]) if together and node.returns is None else ("return",)
        for line in range(last, node.body[0].lineno):
            if line in said and line not in used and not said[line][1]:
                rows.append((names, said[line][0]))
    return rows


HEADS = "parameters args arguments returns return raises yields source references".split()


def sections(text):
    """(the text without its sections, {"parameters": [(name, meaning)], …}).

    Both ways of writing them are read: `Parameters` over a line of dashes, and `Args:`."""
    lines, kept, found, current = (text or "").split("\n"), [], {}, None
    i = 0
    while i < len(lines):
        line = lines[i]
        word = line.strip().rstrip(":").lower()
        ruled = i + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[i + 1].strip())
        if word in HEADS and line[:1].strip() and (ruled or line.rstrip().endswith(":")):
            current = {"args": "parameters", "arguments": "parameters", "return": "returns"}
            current = current.get(word, word)
            found[current] = []
            i += 2 if ruled else 1
            continue
        if current is None:
            kept.append(line)
        else:
            found[current].append(line)
        i += 1
    return "\n".join(kept).strip(), {key: items(key, body) for key, body in found.items()}


def items(head, lines):
    "[(name, meaning)] of a section's lines."
    lines = textwrap.dedent("\n".join(lines)).strip("\n").split("\n")
    if head in ("source", "references", "yields"):
        return [("", " ".join(" ".join(lines).split()))]
    found = []
    for line in lines:
        if not line.strip():
            continue
        if line[0].isspace() and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}".strip())
        elif match := re.match(r"([*\w, ]+?)(?: ?\(([^)]*)\))? ?: ?(.*)$", line):
            found.append((match[1], match[3]))
        else:
            found.append((line.strip(), "") if head != "returns" else ("", line.strip()))
    return found


def parameter_rows(symbol, told):
    "[(parameters, default, meaning)], in the order of the signature."
    parameters, _, written = parameters_of(symbol)
    order = [p.name for p in parameters]
    defaults = {p.name: default_text(p, written) for p in parameters if p.default is not p.empty}
    listed = told.get("parameters", [])
    listed = [(tuple(re.split(r"[,\s*]+", name.strip(" *"))), why) for name, why in listed]
    named = {name for names, _ in listed for name in names}
    rest = [
        (names, why) for names, why in (commented(symbol) if symbol else []) if not named & {*names}
    ]
    rows = [(names, why) for names, why in listed + rest if {*names} <= {*order} and why]
    rows.sort(key=lambda row: order.index(row[0][0]))
    shown = [
        (
            ", ".join(f"`{name}`" for name in names),
            ", ".join(f"`{defaults[name]}`" for name in names if name in defaults),
            why,
        )
        for names, why in rows
    ]
    returned = [why for names, why in rest if names == ("return",)]
    for name, why in told.get("returns", []):
        returned = [f"{name}: {why}" if name and why else name or why]
    shown += [("*returns*", "", why) for why in returned]
    for head in ("yields", "raises", "source", "references"):
        for name, why in told.get(head, []):
            label = f"*{head.removesuffix('s') if head == 'references' else head}*"
            shown.append((label, "", f"`{name}` {why}" if name else why))
    return shown
