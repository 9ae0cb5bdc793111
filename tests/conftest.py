# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"What the tests share: the project's folder, a local server, and a browser that notes faults."

import ctypes
import gc
import os
import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

import pytest
from own_process import pytest_runtest_protocol  # noqa: F401, a hook

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
for threads in ("TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # a worker has one core; more would wait for each other


GROWTH = 2**27  # bytes that a process may grow by before it looks what it can give back
allowed = 0


def resident():
    "Bytes of this process that are in memory; 0 where that is not known."
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def pytest_runtest_logfinish():
    "Networks are in circles, and freed memory stays with the allocator: give it to the system."
    global allowed
    if resident() > allowed:
        gc.collect()
        if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
            libc.malloc_trim(0)
        allowed = resident() + GROWTH


@pytest.hookimpl(optionalhook=True)  # of xdist
def pytest_xdist_make_scheduler(config, log):
    "A file's tests share a worker and its fixtures; chapters share nothing and fill what is left."
    from xdist.scheduler import LoadScopeScheduling

    class Schedule(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            return nodeid if file.endswith("_chapters.py") else file

    return Schedule(config, log)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def serve(folder):
    "Serve `folder` on a free local port; gives the address, and stops by itself."
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def unpacked(folder, files):
    "Write {name: content} below `folder`."
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def browser():
    "A headless Chromium; the test is skipped, with the reason, where there is none."
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium found (Debian/Ubuntu: sudo apt install chromium)")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


def is_local(address):
    "Does a request stay on this machine?"
    address = urlparse(address)
    web = address.scheme in ("http", "https", "ws", "wss")
    return not web or address.hostname in ("127.0.0.1", "localhost")


@contextmanager
def new_page(browser):
    "A page; `page.faults` collects errors, failed requests and those that are not local."
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.faults = faults = []

    def on_request(request):
        if not is_local(request.url):
            faults.append(f"not local: {request.url[:200]}")

    def on_message(message):
        if message.type == "error":
            faults.append(f"console: {message.text}")

    def on_response(response):
        if response.status >= 400:
            faults.append(f"{response.status}: {response.url[:200]}")

    context.on("request", on_request)
    page.on("websocket", on_request)
    page.on("console", on_message)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("response", on_response)
    yield page
    context.close()


@pytest.fixture
def page(browser):
    with new_page(browser) as page:
        yield page


def time_moves(page, audio):
    "Start the player in `audio` as a click on it does, and say whether its time moves."
    audio.scroll_into_view_if_needed()
    box = audio.bounding_box()
    page.mouse.click(box["x"] + 22, box["y"] + box["height"] / 2)
    handle = audio.element_handle()
    page.wait_for_function("audio => audio.currentTime > 0", arg=handle, timeout=20_000)
    return handle.evaluate("audio => audio.currentTime") > 0


@pytest.fixture(scope="module")
def as_in_training():
    "`train` switches Grappler's remapper off."
    import tensorflow as tf

    before = tf.config.optimizer.get_experimental_options().get("remapping", True)
    tf.config.optimizer.set_experimental_options({"remapping": False})
    yield
    tf.config.optimizer.set_experimental_options({"remapping": before})


@pytest.fixture
def two_critic_updates(monkeypatch):
    "Instead of five: a step is built in half the time, and has all its parts."
    from dataclasses import replace

    from audiosynth.gan.losses import OBJECTIVES

    monkeypatch.setitem(OBJECTIVES, "wgan_gp", replace(OBJECTIVES["wgan_gp"], critic_steps=2))
