# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The site, built and opened in a browser: pages, search, players that play, no error and no request that leaves."

import ast
import re
import subprocess
import sys

import pytest

from conftest import ROOT, serve, time_moves

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


def test_pages_open_without_a_fault(site, page):
    for name in pages():
        page.goto(f"{site}/{name}")
        page.wait_for_load_state("networkidle")
        assert page.locator("article h1, .bd-article h1").first.inner_text(), name
        assert not page.locator("mjx-merror").count(), f"{name}: a formula MathJax cannot read"
        stuck = page.evaluate(
            "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src.slice(0, 80))"
        )
        assert not stuck, name
    assert not page.faults


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


def test_every_player_can_be_decoded(site, page):
    for name in pages():
        page.goto(f"{site}/{name}")
        bad = page.evaluate("""async () => {
            const ready = audio => new Promise(done => {
                if (audio.duration > 0) return done(true);
                audio.addEventListener('loadedmetadata', () => done(audio.duration > 0));
                audio.addEventListener('error', () => done(false));
                setTimeout(() => done(audio.duration > 0), 10000);
                audio.preload = 'metadata'; audio.load();
            });
            const players = [...document.querySelectorAll('audio')], good = await Promise.all(players.map(ready));
            return good.filter(ok => !ok).length;
        }""")
        assert bad == 0, f"{name}: {bad} players cannot be played"


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


def exported():
    "The functions and classes that modules export by name."
    for path in sorted((ROOT / "audiosynth").glob("[a-z]*.py")):
        tree = ast.parse(path.read_text())
        named = next(
            (
                ast.literal_eval(node.value)
                for node in tree.body
                if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
            ),
            [],
        )
        yield from (
            f"{path.stem}.{node.name}"
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in named
        )


def test_exported_functions_have_entries(site):
    ids = set(
        re.findall(r'id="(api-[^"]+)"', "".join((SITE / name).read_text() for name in pages()))
    )

    def entry(name):
        return (
            "api-"
            + re.sub(r"[._]+", "-", name.lower()).strip("-")
            + ("-class" if name.partition(".")[2][0].isupper() else "")
        )

    missing = [name for name in exported() if entry(name) not in ids]
    assert not missing, f"no API entry for {missing}"
