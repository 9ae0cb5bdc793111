# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""What servers do: replace a file between two requests, be busy, send nonsense, send too slowly."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from audiosynth.data import http
from audiosynth.data.downloads import fetch
from audiosynth.data.files import InputError
from audiosynth.data.http import RangeServer, download, web_head, web_length, web_span

CONTENT = bytes(range(250)) * 40


@contextmanager
def server(answer):
    "A server whose answers `answer(request, number, start, stop)` writes; gives its address."

    class Handler(BaseHTTPRequestHandler):
        number = 0

        def log_message(self, *_):
            pass

        def do_GET(self):
            Handler.number += 1
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            answer(self, Handler.number, int(first), int(last or len(CONTENT) - 1) + 1)

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads, made.handle_error = True, lambda *_: None
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}/a.bin"
    made.shutdown()
    made.server_close()


def send_part(request, start, stop, headers=(), body=None):
    "Answer with a part, as a server should."
    request.send_response(206)
    request.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(CONTENT)}")
    for name, value in {"Content-Length": str(stop - start), **dict(headers)}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(CONTENT[start:stop] if body is None else body)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(http, "WAITS_S", [0.01] * 5)


def test_a_file_that_is_replaced_between_two_parts_is_not_joined(quick):
    def answer(request, number, start, stop):
        half = (start + stop) // 2
        body = CONTENT[start:half] if number == 1 else None
        send_part(request, start, stop, {"ETag": f'"{number}"'}, body)

    with server(answer) as url, pytest.raises(InputError, match="replaced on the server"):
        list(web_span(url, 100, 9000))
    with server(answer) as url, pytest.raises(InputError, match="replaced on the server"):
        list(web_span(url, 100, 9000, '"before"'))


def test_the_same_version_continues(quick):
    def answer(request, number, start, stop):
        body = CONTENT[start : (start + stop) // 2] if number < 4 else None
        send_part(request, start, stop, {"ETag": '"same"'}, body)

    with server(answer) as url:
        assert b"".join(web_span(url, 100, 9000)) == CONTENT[100:9000]


def test_a_download_of_another_version_begins_again(tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT)
    part = tmp_path / "part"
    part.write_bytes(b"x" * 5000)  # of what stood there yesterday
    versions = []
    with RangeServer(tmp_path) as server, open(part, "ab") as file:
        list(download(f"{server.url}/a.bin", file, version='"old"', remember=versions.append))
        file.flush()
        assert part.read_bytes() == CONTENT and versions == [web_head(f"{server.url}/a.bin")[1]]


def test_a_part_from_yesterday_is_not_joined_to_another_file(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSYNTH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.bin").write_bytes(bytes(10_000))
    with RangeServer(tmp_path, cut_after=4000, cut_again=0) as server:
        monkeypatch.setattr(http, "WAITS_S", [])
        with pytest.raises(InputError):
            fetch(f"{server.url}/a.bin")
        kept = sorted((tmp_path / "cache" / "downloads").iterdir())
        assert [p.suffix for p in kept] == [".part", ".version"]
        assert kept[0].stat().st_size == 4000
        (tmp_path / "a.bin").write_bytes(CONTENT)
        server.cut_after = None
        monkeypatch.setattr("audiosynth.data.downloads._check", lambda *_: None)
        assert fetch(f"{server.url}/a.bin").read_bytes() == CONTENT
        assert [p.suffix for p in (tmp_path / "cache" / "downloads").iterdir()] == [".bin"]


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(code, quick):
    times = []

    def answer(request, number, start, stop):
        times.append(time.monotonic())
        if number > 1:
            return send_part(request, start, stop)
        request.send_response(code)
        request.send_header("Retry-After", "1")
        request.send_header("Content-Length", "0")
        request.end_headers()

    with server(answer) as url:
        assert web_length(url) == len(CONTENT)
    assert len(times) == 2 and times[1] - times[0] >= 1


def test_a_server_that_asks_for_hours_is_not_waited_for(quick):
    def answer(request, number, start, stop):
        request.send_response(503)
        request.send_header("Retry-After", "7200")
        request.send_header("Content-Length", "0")
        request.end_headers()

    with server(answer) as url, pytest.raises(InputError, match="cannot be fetched"):
        web_length(url)


@pytest.mark.parametrize("length", ["abc", "-5", "", "²"])
def test_nonsense_in_a_header_is_one_line(length, quick):
    def answer(request, number, start, stop):
        request.send_response(200)
        request.send_header("Content-Length", length)
        request.end_headers()

    with server(answer) as url, pytest.raises(InputError) as error:
        list(web_span(url, 0, 100))
    assert "\n" not in str(error.value)


def test_a_server_that_drips_is_left(quick, monkeypatch):
    monkeypatch.setattr(http, "PATIENCE_S", 0.3)

    def answer(request, number, start, stop):
        send_part(request, start, stop, body=b"")
        for i in range(start, stop):
            request.wfile.write(CONTENT[i : i + 1])
            time.sleep(0.02)

    began = time.monotonic()
    with server(answer) as url, pytest.raises(InputError, match=r"too slow \([\d,]+ bytes in 0 s"):
        list(web_span(url, 0, 9000))
    assert time.monotonic() - began < 1.5
