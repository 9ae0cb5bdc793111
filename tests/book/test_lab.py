# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"A chapter in JupyterLab: its players are there when it opens, and again after Run All."

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

from conftest import ROOT, time_moves

sys.path.insert(0, str(ROOT / "docs"))
import book  # noqa: E402

pytest.importorskip("jupyterlab")
ERRORS = ", ".join(f'[data-mime-type="application/vnd.jupyter.{k}"]' for k in ("error", "stderr"))
PROMPTS = ".jp-CodeCell .jp-InputPrompt"


def stored_players(path):
    cells = json.loads(path.read_text())["cells"]
    shown = [
        output.get("data", {}).get("text/html", "")
        for cell in cells
        for output in cell.get("outputs", [])
    ]
    return sum("".join(html).count("<audio") for html in shown)


def chapter():
    "The first chapter that has players in it, and how many."
    for path in map((ROOT / "nbs").joinpath, book.notebooks()):
        if stored_players(path):
            return path.relative_to(ROOT / "nbs").as_posix(), stored_players(path)
    pytest.skip("no chapter has a player yet")


@contextmanager
def jupyterlab(folder, environment, token):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        "--no-browser",
        "--allow-root",
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdates",
        "--LabApp.extension_manager=readonly",
    ]
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert server.poll() is None, (folder / "lab.log").read_text()[-4000:]
            try:
                urllib.request.urlopen(f"{address}/api/status?token={token}", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail("JupyterLab did not start:\n" + (folder / "lab.log").read_text()[-4000:])
        yield address
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture
def lab(tmp_path):
    "JupyterLab over a trusted copy of the book, with settings and runtime files of its own."
    shutil.copy(ROOT / "settings.ini", tmp_path)
    shutil.copytree(ROOT / "nbs", tmp_path / "nbs", ignore=shutil.ignore_patterns(".*"))
    shutil.copytree(
        ROOT / "audiosynth",
        tmp_path / "audiosynth",
        ignore=shutil.ignore_patterns("__pycache__", "embedded"),
    )
    own = {
        name: str(tmp_path / name.lower())
        for name in (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
            "IPYTHONDIR",
        )
    }
    environment = {**os.environ, **own, "PYTHONPATH": str(ROOT)}
    tracker = (
        tmp_path
        / "jupyterlab_settings_dir"
        / "@jupyterlab"
        / "notebook-extension"
        / "tracker.jupyterlab-settings"
    )
    tracker.parent.mkdir(parents=True)
    tracker.write_text(
        json.dumps({"windowingMode": "none"})
    )  # every cell is in the page, on screen or not
    trust = "from nbdev.clean import nbdev_trust; nbdev_trust()"
    subprocess.run(
        [sys.executable, "-c", trust, "--fname", "nbs", "--force_all"],
        cwd=tmp_path,
        env=environment,
        check=True,
        timeout=120,
    )
    token = secrets.token_hex(16)
    with jupyterlab(tmp_path, environment, token) as address:
        yield lambda name: f"{address}/lab/tree/nbs/{name}?token={token}"


def run_all(page):
    "Run → Run All Cells, again if the page was not ready and the click was lost."
    started = (
        f"[...document.querySelectorAll('.jp-Notebook {PROMPTS}')]"
        ".some(prompt => /[*0-9]/.test(prompt.textContent))"
    )
    for _ in range(10):
        page.keyboard.press("Escape")
        page.locator(".lm-MenuBar-item", has_text=re.compile("^Run$")).click()
        page.locator(".lm-Menu-item:visible", has_text=re.compile("^Run All Cells")).click(
            timeout=15_000
        )
        try:
            return page.wait_for_function(started, timeout=10_000)
        except Exception as error:
            if "Timeout" not in str(error):
                raise
    pytest.fail("Run All Cells did not start")


def test_chapter_in_jupyterlab(lab, page):
    name, stored = chapter()
    page.goto(lab(name))
    page.wait_for_selector(".jp-Notebook audio", state="attached", timeout=120_000)
    page.wait_for_function(
        f"document.querySelectorAll('.jp-Notebook audio').length >= {stored}", timeout=60_000
    )

    run_all(page)
    page.wait_for_function(
        f"""() => {{
        const found = [...document.querySelectorAll('.jp-Notebook {PROMPTS}')];
        const prompts = found.map(prompt => prompt.textContent);
        return document.querySelector('.jp-Notebook {ERRORS.split(",")[0]}')
            || (prompts.length && prompts.every(text => /^\\[\\d+\\]:/.test(text)));
    }}""",
        timeout=300_000,
    )
    wrong = page.locator(f".jp-Notebook :is({ERRORS})")
    assert wrong.count() == 0, wrong.first.inner_text()[:2000]
    page.wait_for_function(
        f"document.querySelectorAll('.jp-Notebook audio').length >= {stored}", timeout=60_000
    )
    assert time_moves(page, page.locator(".jp-Notebook audio").first)
    assert not [fault for fault in page.faults if fault.startswith("not local")]
