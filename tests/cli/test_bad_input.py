# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Bad input: one clear line each, and nothing lost or left behind."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosynth.data.clips import Clips
from audiosynth.data.cutting import unfinished
from audiosynth.data.downloads import fetch
from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips, prepare

TONE = 0.4 * np.sin(2 * np.pi * 440 * np.arange(20000) / 16000)


def encoded(wave=TONE, rate=16000, kind="WAV", width=None):
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=width)
    return file.getvalue()


def with_value(value):
    wave = TONE.copy()
    wave[15000] = value
    return encoded(wave, width="FLOAT")


BAD = {
    "not_audio.wav": (b"these are words, not sound " * 40, "not audio"),
    "random.mp3": (np.random.default_rng(0).bytes(5000), ""),
    "notes.txt": (b"heard at dawn", "not an audio file's name"),
    "cut.wav": (encoded()[:10_000], "cut short"),
    "cut_a_byte.wav": (encoded()[:-1], "cut short"),
    "header_only.wav": (encoded()[:44], "cut short"),
    "half_a_header.wav": (encoded()[:20], ""),
    "cut.aiff": (encoded(kind="AIFF")[:10_000], "cut short"),
    "cut.flac": (encoded(kind="FLAC")[:3000], ""),
    "cut_end.flac": (encoded(kind="FLAC")[:-10], ""),
    "empty.wav": (b"", "empty"),
    "empty.flac": (b"", "empty"),
    "no_samples.wav": (encoded(TONE[:0]), "no samples"),
    "nan.wav": (with_value(np.nan), "not a finite number, 0.94 s in"),
    "inf.wav": (with_value(np.inf), "not a finite number"),
    "minus_inf.wav": (with_value(-np.inf), "not a finite number"),
}


def files(folder, named):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in named.items():
        (folder / name).write_bytes(content)
    return folder


def nothing_left(folder, *expected):
    assert sorted(p.name for p in folder.iterdir()) == sorted(expected)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_the_reason_and_the_others_are_kept(name, tmp_path):
    content, why = BAD[name]
    sound = files(tmp_path / "sound", {"good.wav": encoded(), name: content})
    clips = prepare("folder", tmp_path / "out", from_=sound)
    assert [n for n, _ in clips.manifest["skipped"]] == [name] and why in clips.manifest["skipped"][
        0
    ][1]
    assert clips.manifest["counts"]["skipped"] == 1 and clips.groups == ["good.wav"]
    nothing_left(tmp_path, "sound", "out")
    nothing_left(tmp_path / "out", "clips.npy", "index.npz", "manifest.json")


@pytest.mark.parametrize("name", BAD)
def test_only_a_bad_file(name, tmp_path):
    sound = files(tmp_path / "sound", {name: BAD[name][0]})
    with pytest.raises(InputError, match=name) as error:
        prepare("folder", tmp_path / "deep" / "out", from_=sound)
    assert "\n" not in str(error.value)
    nothing_left(tmp_path, "sound")


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("width", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_rate_width_and_number_of_channels_is_read_right(rate, channels, width, tmp_path):
    wave = 0.4 * np.sin(2 * np.pi * 440 * np.arange(int(rate * 1.1)) / rate)
    sound = files(
        tmp_path / "sound",
        {"a.wav": encoded(np.repeat(wave[:, None], channels, 1), rate, width=width)},
    )
    clips = prepare("folder", tmp_path / "out", from_=sound)
    heard, truth = (
        clips.waves([0])[0],
        0.4 * np.sin(2 * np.pi * 440 * np.arange(clips.samples) / 16000),
    )
    assert len(clips) == 1 and np.abs(heard - truth)[300:-300].max() < (
        0.02 if width == "PCM_U8" else 1e-3
    )


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3", "AIFF"])
def test_other_kinds_of_file(kind, tmp_path):
    sound = files(tmp_path / "sound", {f"a.{kind.lower()}": encoded(kind=kind)})
    heard = prepare("folder", tmp_path / "out", from_=sound).waves([0])[0]
    assert np.abs(heard - TONE[:16384])[2000:-300].max() < (
        0.05 if kind in ("OGG", "MP3") else 1e-4
    )


def test_channels_are_averaged(tmp_path):
    stereo = np.stack([TONE, np.zeros_like(TONE)], 1)
    sound = files(tmp_path / "sound", {"a.wav": encoded(stereo)})
    assert (
        np.abs(
            prepare("folder", tmp_path / "out", from_=sound).waves([0])[0] - TONE[:16384] / 2
        ).max()
        < 1e-4
    )


def test_a_file_shorter_than_a_clip_is_padded_and_counted(tmp_path):
    sound = files(tmp_path / "sound", {"a.wav": encoded(TONE[:100])})
    clips = prepare("folder", tmp_path / "out", from_=sound)
    assert len(clips) == 1 and clips.manifest["counts"]["padded"] == 1
    assert (
        not clips.waves([0])[0, 100:].any()
        and np.abs(clips.waves([0])[0, :100] - TONE[:100]).max() < 1e-4
    )


def test_a_thousand_files_with_three_bad_ones(tmp_path):
    good = {f"{i:04}.wav": encoded(TONE[:2000]) for i in range(1000)}
    bad = {"0100.wav": b"", "0500.wav": with_value(np.nan), "0999.wav": encoded()[:500]}
    sound = files(tmp_path / "sound", good | bad)
    clips = prepare("folder", tmp_path / "out", from_=sound)
    assert len(clips) == 997 and [n for n, _ in clips.manifest["skipped"]] == sorted(bad)


def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
    sound = files(
        tmp_path / "sound",
        {f"{i}.wav": encoded(TONE[: 300 * i + 1]) for i in range(20)} | {"bad.wav": b"x"},
    )
    one, three = (prepare("folder", tmp_path / f"out{k}", from_=sound, workers=k) for k in (1, 3))
    for name in ("clips.npy", "index.npz", "manifest.json"):
        assert (one.folder / name).read_bytes() == (three.folder / name).read_bytes()


def test_missing_empty_and_unknown(tmp_path):
    (tmp_path / "empty").mkdir()
    files(tmp_path, {"file.wav": encoded()})
    for source, from_, message in [
        ("folder", tmp_path / "nowhere", "no such file or folder"),
        ("folder", tmp_path / "empty", "no audio files"),
        ("folder", tmp_path / "file.wav", "is a file"),
        ("folder", None, "--from"),
        ("foldr", None, "did you mean 'folder'"),
        ("fsdd", tmp_path / "file.wav", "archive"),
        ("fsdd", tmp_path / "empty", "no recordings named like"),
    ]:
        with pytest.raises(InputError, match=message) as error:
            prepare(source, tmp_path / "out", from_=from_)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="did you mean 'digits'"):
        load_clips("digist")
    nothing_left(tmp_path, "empty", "file.wav")


def test_an_existing_output_is_untouched(tmp_path):
    sound = files(tmp_path / "sound", {"a.wav": encoded()})
    prepare("folder", tmp_path / "out", from_=sound)
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    bad = files(tmp_path / "bad", {"a.wav": b"x"})
    for options in [dict(from_=sound), dict(from_=bad, force=True)]:
        with pytest.raises(InputError):
            prepare("folder", tmp_path / "out", **options)
    with pytest.raises(InputError, match="something else"):
        prepare("folder", sound, from_=sound, force=True)
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    nothing_left(tmp_path, "sound", "out", "bad")


def fsdd_archive(path, extra=()):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in [
            (f"d/recordings/{d}_ann_{t}.wav", encoded(TONE[:800], 8000))
            for d in range(10)
            for t in range(12)
        ] + list(extra):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_a_hostile_archive_writes_nothing(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    archive = fsdd_archive(
        inside / "a.tar.gz", [("../../escaped.txt", b"x"), (str(tmp_path / "absolute.txt"), b"x")]
    )
    with pytest.raises(InputError, match="outside the archive"):
        prepare("fsdd", tmp_path / "out", from_=archive)
    nothing_left(tmp_path, "in")


def test_a_cut_archive_and_a_wrong_checksum(tmp_path):
    archive = fsdd_archive(tmp_path / "a.tar.gz")
    with pytest.raises(InputError, match="SHA-256"):
        prepare("fsdd", tmp_path / "out", from_=archive, sha256="0" * 64)
    os.truncate(archive, archive.stat().st_size // 2)
    with pytest.raises(InputError, match="not a whole"):
        prepare("fsdd", tmp_path / "out", from_=archive)
    nothing_left(tmp_path, "a.tar.gz")


def test_downloads(tmp_path, monkeypatch):
    content = fsdd_archive(tmp_path / "a.tar.gz").read_bytes()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path != "/none" else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if self.path == "/cut" else content)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AUDIOSYNTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        for path in ("/cut", "/none"):
            with pytest.raises(InputError, match=url + path) as error:
                fetch(url + path)
            assert "\n" not in str(error.value)
        nothing_left(tmp_path / "cache" / "downloads")
        kept = fetch(url + "/a.tar.gz")
    finally:
        server.shutdown()
        server.server_close()
    assert (
        kept.read_bytes() == content and fetch(url + "/a.tar.gz") == kept
    )  # the second time without the server
    assert len(prepare("fsdd", tmp_path / "out", from_=url + "/a.tar.gz")) == 120
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch(url + "/b.tar.gz")


FULL = """
import resource, sys
from audiosynth.data.files import DiskFull
from audiosynth.data.sources import prepare
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try: prepare("folder", sys.argv[2], from_=sys.argv[1], workers=int(sys.argv[3]))
except DiskFull as e: print(e); sys.exit(2)
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk(workers, tmp_path):
    sound = files(tmp_path / "sound", {f"{i}.wav": encoded() for i in range(9)})
    done = subprocess.run(
        [sys.executable, "-c", FULL, sound, tmp_path / "out", workers],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (
        done.returncode == 2
        and "the disk is full" in done.stdout
        and "Traceback" not in done.stderr
    ), done.stderr
    assert (
        "what is done is kept, the same command goes on" in done.stdout
        and done.stdout.count("\n") == 1
    )
    nothing_left(tmp_path, "sound", ".out.unfinished")
    one, two = (
        prepare("folder", tmp_path / "out", from_=sound, workers=1),
        prepare("folder", tmp_path / "whole", from_=sound, workers=1),
    )
    for name in ("clips.npy", "index.npz", "manifest.json"):
        assert (one.folder / name).read_bytes() == (two.folder / name).read_bytes()
    nothing_left(tmp_path, "sound", "out", "whole")


DENIED = """
import os, sys
import audiosynth.data.sources as s
"".encode("cp437")  # zipfile's, imported while this Python may still read itself
if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)
try: print(s.prepare("folder", sys.argv[2], from_=sys.argv[1]).manifest["skipped"])
except s.InputError as e: print(e); sys.exit(2)
"""


def test_no_permission():
    import tempfile  # pytest's own folders are closed to others, and root may read everything

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o777)
        sound = files(place / "sound", {"a.wav": encoded(), "secret.wav": encoded()})
        files(sound / "closed", {"b.wav": encoded()})
        (sound / "secret.wav").chmod(0)
        (sound / "closed").chmod(0)

        def run(*to):
            return subprocess.run(
                [sys.executable, "-c", DENIED, *map(str, to)],
                capture_output=True,
                text=True,
                timeout=120,
            )

        done = run(sound, place / "out")
        assert done.returncode == 0 and "secret.wav" in done.stdout and "closed" in done.stdout, (
            done.stderr
        )
        assert done.stdout.count("permission denied") == 2
        done = run(sound / "closed", place / "out2")
        assert (
            done.returncode == 2
            and "permission denied" in done.stdout
            and done.stdout.count("\n") == 1
        ), done.stderr
        (place / "locked").mkdir(mode=0o555)
        done = run(sound, place / "locked" / "out")
        assert done.returncode == 2 and "permission denied" in done.stdout, done.stderr
        (sound / "closed").chmod(0o755)
        assert not list(place.glob("**/.*"))


def test_two_processes_open_an_embedded_set_at_once(tmp_path):
    code = "from audiosynth.data.sources import load_clips; print(len(load_clips('piano')))"
    environment = os.environ | {"AUDIOSYNTH_CACHE": str(tmp_path)}
    both = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [p.communicate(timeout=120)[0] for p in both]
    assert said[0] == said[1] and int(said[0]) > 0 and [p.returncode for p in both] == [0, 0]
    assert len(list((tmp_path / "datasets").iterdir())) == 1


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "audiosynth.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("case", ["missing", "empty", "all bad", "source", "output"])
def test_the_command_says_one_line_and_exits_2(case, tmp_path):
    sound = files(
        tmp_path / "sound",
        {"a.wav": b"x" if case == "all bad" else encoded()} if case != "empty" else {},
    )
    from_ = tmp_path / "nowhere" if case == "missing" else sound
    out = sound if case == "output" else tmp_path / "out"
    done = command(
        "prepare", "foldr" if case == "source" else "folder", "--from", from_, "--out", out
    )
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2 and len(lines) == 1 and lines[0].startswith("audiosynth: "), (
        done.stderr
    )
    if case == "source":
        assert "folder" in lines[0]
    nothing_left(tmp_path, "sound")


def test_the_command_names_the_three_bad_files_of_a_thousand(tmp_path):
    good = {f"{i:04}.wav": encoded(TONE[:500]) for i in range(1000)}
    sound = files(
        tmp_path / "sound",
        good | {"0007.wav": b"", "0500.wav": b"words", "0999.wav": encoded()[:500]},
    )
    done = command("prepare", "folder", "--from", sound, "--out", tmp_path / "out")
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "Traceback" not in said, done.stderr
    assert (
        all(name in said for name in ("0007.wav", "0500.wav", "0999.wav"))
        and len(Clips(tmp_path / "out")) == 997
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_the_command_stopped_goes_on_to_the_same_bytes(how, tmp_path):
    sound = files(
        tmp_path / "sound", {f"{i:02}.wav": encoded(np.tile(TONE, 300), 44100) for i in range(12)}
    )
    words = ["prepare", "folder", "--from", sound, "--workers", "1", "--out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "audiosynth.cli", *map(str, words), str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # a shell's background jobs ignore it
    journal = unfinished(tmp_path / "out") / "journal"
    while process.poll() is None and not (
        journal.exists() and journal.read_bytes().count(b"\n") > 2
    ):
        time.sleep(0.005)
    process.send_signal(how)
    said = process.communicate(timeout=60)[1]
    assert (
        process.returncode == (130 if how == signal.SIGINT else -9) and "Traceback" not in said
    ), said
    assert journal.read_bytes().count(b"\n") < 12
    assert (
        command(*words, tmp_path / "out").returncode == 0
        and command(*words, tmp_path / "whole").returncode == 0
    )
    for name in ("clips.npy", "index.npz", "manifest.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    nothing_left(tmp_path, "sound", "out", "whole")
