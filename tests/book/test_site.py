# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The site in a browser: pages, search, players that play, no error, no request that leaves."

import ast
import re
import subprocess
import sys
from contextlib import ExitStack

import pytest

import audiosynth
from audiosynth.generation.play import PAGE
from conftest import ROOT, new_page, serve, time_moves

sys.path.insert(0, str(ROOT / "docs"))
import book  # noqa: E402
from old_addresses import PAGES  # noqa: E402
from reference import label  # noqa: E402

SITE = ROOT / "_site"


@pytest.fixture(scope="module")
def site():
    run = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "build.py")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout[-6000:]
    with serve(SITE) as address:
        yield address


def pages():
    return sorted(
        path.relative_to(ROOT / "nbs").with_suffix(".html").as_posix()
        for path in (ROOT / "nbs").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    )


def test_every_notebook_is_a_page(site):
    missing = [name for name in pages() if not (SITE / name).exists()]
    assert not missing
    home = (SITE / "index.html").read_text()
    assert not [name for name in pages() if name != "index.html" and f'href="{name}"' not in home]


def test_nothing_of_the_machinery_shows(site):
    for name in pages():
        text = (SITE / name).read_text()
        assert (
            "nbdev_export()" not in text and "#| " not in text and "WARNING: THIS FILE" not in text
        ), name


CUT = """[...document.querySelectorAll('div.cell_input pre')]
    .filter(pre => pre.scrollWidth > pre.clientWidth + 1)
    .map(pre => pre.textContent.split('\\n').sort((a, b) => b.length - a.length)[0])
    .filter(line => line.length <= 100)"""


BROKEN_IMAGES = """[...document.images].filter(i => !i.complete || !i.naturalWidth)
    .map(i => i.src.slice(0, 80))"""
SILENT_PLAYERS = """async () => {
    const ready = audio => new Promise(done => {
        if (audio.duration > 0) return done(true);
        audio.addEventListener('loadedmetadata', () => done(audio.duration > 0));
        audio.addEventListener('error', () => done(false));
        setTimeout(() => done(audio.duration > 0), 10000);
        audio.preload = 'metadata'; audio.load();
    });
    const players = [...document.querySelectorAll('audio')];
    const good = await Promise.all(players.map(ready));
    return good.filter(ok => !ok).length;
}"""


TABS = 6  # while one waits for half a second without a request, the others load


def seen_on(page):
    "What a browser finds on a page that is open."
    page.wait_for_load_state("networkidle")
    found = {
        "title": page.locator("article h1, .bd-article h1").first.inner_text(),
        "formulas": page.locator("mjx-merror").count(),
        "images": page.evaluate(BROKEN_IMAGES),
        "cut": page.evaluate(CUT),
        "silent": page.evaluate(SILENT_PLAYERS),
        "faults": list(page.faults),
    }
    page.faults.clear()
    return found


@pytest.fixture(scope="module")
def visited(site, browser):
    "What a browser finds on every page, {name: {what: found}}; each page is opened once."
    names, found = pages(), {}
    with ExitStack() as open_pages:
        tabs = [open_pages.enter_context(new_page(browser)) for _ in range(TABS)]
        for some in (names[i : i + TABS] for i in range(0, len(names), TABS)):
            for page, name in zip(tabs, some):
                page.goto(f"{site}/{name}")
            for page, name in zip(tabs, some):
                found[name] = seen_on(page)
    return found


def test_pages_open_without_a_fault(visited):
    for name, found in visited.items():
        assert found["title"], name
        assert not found["formulas"], f"{name}: a formula MathJax cannot read"
        assert not found["images"], name
        assert not found["cut"], f"{name}: lines of at most 100 columns are cut off"
        assert not found["faults"], name


def test_every_player_can_be_decoded(visited):
    bad = {name: found["silent"] for name, found in visited.items() if found["silent"]}
    assert not bad, f"players that cannot be played: {bad}"


def test_a_player_plays(site, page):
    for name in pages():
        page.goto(f"{site}/{name}")
        audios = page.locator("audio")
        if audios.count():
            assert time_moves(page, audios.first), name
            break
    else:
        pytest.fail("no page has a player")
    assert not page.faults


def test_search_finds_a_chapter(site, page):
    titles = [
        re.sub(r"<[^>]+>|#", "", found[1])
        for name in pages()
        if name != "index.html"
        for found in [re.search(r"<h1>(.*?)<", (SITE / name).read_text())]
        if found
    ]
    word = max(re.findall(r"[A-Za-z]{4,}", titles[0]), key=len)
    page.goto(f"{site}/index.html")
    page.keyboard.press("Control+k")
    field = page.locator("input[name=q]:visible").first
    field.fill(word)
    field.press("Enter")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    results = page.locator("#search-results li")
    assert any(word.lower() in results.nth(i).inner_text().lower() for i in range(results.count()))
    results.first.locator("a").first.click()
    page.wait_for_load_state("networkidle")
    assert not page.faults


def found_first(page, site, words):
    "Address and text of the first result of a search."
    page.goto(f"{site}/search.html?q={words.replace(' ', '+')}")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    page.wait_for_function("/found|match/i.test(document.body.innerText)", timeout=20_000)
    first = page.locator("#search-results li").first
    return first.locator("a").first.get_attribute("href"), first.inner_text()


@pytest.mark.parametrize("name", ["GAN", "load_model", "train", "Clips", "evaluate"])
def test_a_public_name_is_found_first(site, page, name):
    href, text = found_first(page, site, name)
    home = audiosynth._HOME[name]
    assert href.split("#")[0].endswith(f"reference/{home.partition('.')[0]}.html"), text
    assert href.split("?")[0].split("#")[-1].endswith(f"{home}.{name}"), href


def names_of(module):
    "What a module exports: functions and classes, and the rest."
    tree = ast.parse((ROOT / "audiosynth" / (module.replace(".", "/") + ".py")).read_text())
    named = next(
        (
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
        ),
        [],
    )
    defined = {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    elsewhere = {a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    own = [name for name in named if name not in elsewhere]
    return [name for name in own if name in defined], [n for n in own if n not in defined]


def exporting():
    "The modules that notebooks export."
    return [module for part in book.parts() for module in part.modules()]


def test_exported_functions_have_entries(site):
    text = "".join((SITE / name).read_text() for name in pages())
    ids = set(re.findall(r'id="(api-[^"]+)"', text))
    missing = [
        f"{module}.{name}"
        for module in exporting()
        for name in names_of(module)[0]
        if label(module, name).strip("-") not in ids
    ]
    assert not missing, f"no API entry for {missing}"


def test_the_reference_has_every_name(site):
    index = (SITE / "reference" / "index.html").read_text()
    for part in book.parts():
        if not part.modules():
            continue
        text = (SITE / "reference" / f"{part.name}.html").read_text()
        assert f'href="reference/{part.name}.html"' in (SITE / "index.html").read_text()
        for module in part.modules():
            for name in (*names_of(module)[0], *names_of(module)[1]):
                full = f"audiosynth.{module}.{name}"
                assert f'id="{full}"' in text and f"#{full}" in index, full


def test_signatures_are_right(site):
    "No `self`, no object's address, no lost annotation of a patched method."
    for path in (SITE / "reference").glob("*.html"):
        text = re.sub(r"<[^>]+>", "", path.read_text())
        assert " at 0x" not in text and "(self" not in text and "(: " not in text, path.name


def test_parameters_are_no_links(site):
    for name in pages():
        found = re.findall(r'<table class="parameters.*?</table>', (SITE / name).read_text(), re.S)
        for row in re.findall(r"<tr[^>]*>\s*<td>(.*?)</td>", "".join(found), re.S):
            assert "<a " not in row, f"{name}: {row}"


def test_the_side_bar_has_the_parts_in_order(site):
    home = (SITE / "index.html").read_text()
    captions = re.findall(r'class="caption-text">([^<]+)<', home.split("bd-main")[0])
    wanted = [part.caption for part in book.parts() if part.notebooks()] + ["Reference"]
    assert captions[: len(wanted)] == wanted
    for part in book.parts():
        if part.engine_chapters():
            assert f'href="{part.name}/engine_room.html"' in home
    assert not re.search(r'toctree-l1"><a[^>]*>\s*\d', home), "chapters do not know their numbers"


@pytest.mark.parametrize(
    "old, new",
    {
        "09_experiments.html": "gan/rows.html",
        "09_experiments.html#api-experiments-load-model": (
            "gan/trained_model.html#api-gan-trained-model-load-model"
        ),
        "08_gan.html#api-gan-gan-class": "gan/model.html#api-gan-model-gan-class",
        "01_listen.html#api-listen-player": "listen.html#api-listen-player",
    }.items(),
)
def test_old_addresses_lead_to_the_new_page(site, page, old, new):
    page.goto(f"{site}/{old}")
    page.wait_for_url(lambda address: old.split("#")[0] not in address, timeout=20_000)
    address = page.url.removeprefix(f"{site}/")
    assert re.sub(r"/\d+_", "/", address) == new
    if "#" in new:
        assert page.locator(f"[id='{new.split('#')[1]}']").count(), "no such place"
    assert not page.faults


def test_every_old_address_leads_to_a_page(site):
    for name in PAGES:
        text = (SITE / f"{name}.html").read_text()
        targets = re.findall(r'"([\w/]+\.html)(?:#|")', text)
        assert targets and all((SITE / target).exists() for target in targets), name
        for target, anchor in re.findall(r'"([\w/]+\.html)#([\w-]+)"', text):
            new = (SITE / target).read_text()
            assert f'id="{anchor}"' in new or anchor.rpartition("-")[2].isupper(), (name, anchor)


def test_the_ready_model_is_played_beside_the_book(site):
    "The home page leads to a page that has all its files."
    page = SITE / "play" / "digit"
    assert 'href="play/digit/index.html"' in (SITE / "index.html").read_text()
    files = {path.name: path.stat().st_size for path in page.iterdir()}
    assert {path.name for path in PAGE.iterdir()} | {"model.onnx.gz", "model.json"} == set(files)
    assert sum(files.values()) < 8e6
