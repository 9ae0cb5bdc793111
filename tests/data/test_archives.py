# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Archives: hostile, damaged, and far away over a bad line."""

import io
import multiprocessing
import os
import stat
import struct
import tarfile
import threading
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from audiosynth.data import http as web
from audiosynth.data.archives import DamagedMember, contents, members
from audiosynth.data.downloads import fetch, on_disk
from audiosynth.data.files import InputError
from audiosynth.data.http import RangeServer

NOISE = np.random.default_rng(0).bytes(700_000)
FILES = {
    "a/one.bin": NOISE,
    "a/two.txt": b"words " * 5000,
    "three": b"",
    "ä/four.bin": NOISE[:1000],
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSYNTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(web, "WAITS_S", [0.01] * 5)


def zipped(path, files=FILES, method=zipfile.ZIP_DEFLATED, **options):
    with zipfile.ZipFile(path, "w", method, **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def taped(path, *entries, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, content, *more in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in dict(*more).items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return path


def read_all(path):
    return {name: read() for name, read in members(path)}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("far", [False, True])
def test_a_zip_reads_as_zipfile_reads_it(method, far, tmp_path):
    path = zipped(tmp_path / "a.zip", method=method)
    with RangeServer(tmp_path) as server:
        found = contents(f"{server.url}/a.zip" if far else path)
        assert {name: m.read_bytes() for name, m in found.items()} == FILES
        assert {name: on_disk(m).read_bytes() for name, m in found.items()} == FILES


def test_members_written_to_a_pipe_have_their_sizes_behind_them(tmp_path):
    class Pipe(io.RawIOBase):
        def __init__(self):
            self.written = bytearray()

        def writable(self):
            return True

        def write(self, block):
            self.written += block
            return len(block)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    (tmp_path / "a.zip").write_bytes(pipe.written)
    assert read_all(tmp_path / "a.zip") == FILES


def test_a_zip_beyond_four_gigabytes_is_read_in_place(tmp_path):
    "64-bit offsets: a hole of 5 GB (no disk is used) between two members, served over HTTP."
    path, late = tmp_path / "a.zip", b"beyond 4 GB " * 1000
    with open(path, "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("early", NOISE)
        file.seek(5 << 30)
        archive.start_dir = file.tell()
        archive.writestr("late", late)
    assert os.path.getsize(path) > 5 << 30
    with RangeServer(tmp_path) as server:
        found = contents(f"{server.url}/a.zip")
        assert (
            found["late"].start == 5 << 30
            and found["late"].read_bytes() == late
            and found["early"].read_bytes() == NOISE
        )
        assert server.sent < 1.5 * (len(late) + len(NOISE))


def requested(server, times):
    "Were there so many requests? The server counts the last one a moment after it has answered."
    deadline = time.monotonic() + 10
    while len(server.requests) < times and time.monotonic() < deadline:
        time.sleep(0.01)
    return len(server.requests) == times


def test_only_what_is_wanted_is_fetched(tmp_path):
    path = zipped(tmp_path / "a.zip", {f"{i}": NOISE for i in range(20)}, zipfile.ZIP_STORED)
    with RangeServer(tmp_path) as server:
        found = contents(f"{server.url}/a.zip")
        assert server.sent < 20_000 and requested(server, 2)
        assert found["7"].read_bytes() == NOISE
        assert server.sent < 1.05 * len(NOISE) and requested(server, 3)
    assert path.stat().st_size > 19 * server.sent


def test_names_and_links_out_of_the_tree_are_refused(tmp_path):
    (tmp_path / "in").mkdir()
    for k, name in enumerate(["../x", "a/../../x", "/etc/x", "..\\x", "C:/x", str(tmp_path / "x")]):
        for path in (
            taped(tmp_path / "in" / f"{k}.tar.gz", ("good.wav", b"x"), (name, b"x")),
            zipped(tmp_path / "in" / f"{k}.zip", {"good.wav": b"x", name: b"x"}),
        ):
            with pytest.raises(InputError, match="outside") as error:
                read_all(path)
            assert str(path) in str(error.value) and "\n" not in str(error.value)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        for target in ("../../x", "/etc/passwd"):
            with pytest.raises(InputError, match="outside"):
                read_all(
                    taped(
                        tmp_path / "in" / "l.tar",
                        ("a/link", b"", dict(type=kind, linkname=target)),
                        mode="w",
                    )
                )
    link = zipfile.ZipInfo("a/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(InputError, match="outside"):
        read_all(zipped(tmp_path / "in" / "l.zip", {link: b"../../../etc"}))
    inside = taped(
        tmp_path / "in" / "i.tar",
        ("a/b", b"x"),
        ("a/link", b"", dict(type=tarfile.SYMTYPE, linkname="../a/b")),
        mode="w",
    )
    assert read_all(inside) == {"a/b": b"x"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


def test_bombs_are_refused_without_being_unpacked(tmp_path):
    zeros = bytes(1 << 20)
    with tarfile.open(tmp_path / "one.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("zeros")
        info.size = 120 << 20
        archive.addfile(info, open("/dev/zero", "rb"))
    taped(tmp_path / "many.tar.gz", *[(f"{i}", zeros) for i in range(80)])
    taped(
        tmp_path / "header.tar.xz",
        ("a", b"x", dict(pax_headers={"comment": "0" * (80 << 20)})),
        mode="w:xz",
    )
    sparse = (
        b"holes".ljust(100, b"\0")
        + b"0000644\0"
        + b"0000000\0" * 2
        + b"%011o\0" % 512
        + b"%011o\0" % 0
        + b" " * 8
        + b"S"
    ).ljust(386, b"\0")
    sparse += b"%011o\0" % 0 + b"%011o\0" % 512 + b"\0" * 72 + b"\0" + b"%011o\0" % (1 << 32)
    sparse = bytearray(sparse.ljust(512, b"\0"))
    sparse[148:156] = b"%06o\0 " % sum(sparse)
    (tmp_path / "sparse.tar").write_bytes(bytes(sparse) + bytes(512 * 3))
    with zipfile.ZipFile(tmp_path / "deflated.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("zeros", "w") as file:
            for _ in range(80):
                file.write(zeros)
    tracemalloc.start()
    for path in sorted(p for p in tmp_path.iterdir() if p.is_file()):
        tracemalloc.reset_peak()
        with pytest.raises(InputError, match="bomb"):
            for _, read in members(path):
                read()
        assert path.name == "header.tar.xz" or tracemalloc.get_traced_memory()[1] < 20e6, path
    tracemalloc.stop()


def patched(path, name, **values):
    "Change what a zip's table of contents says of a member: crc, packed, size, start."
    data, at = bytearray(path.read_bytes()), 0
    place = dict(crc=16, packed=20, size=24, start=42)
    while (at := data.find(b"PK\1\2", at)) >= 0:
        if data[at + 46 :].startswith(name.encode()):
            for key, value in values.items():
                struct.pack_into("<I", data, at + place[key], value)
        at += 4
    path.write_bytes(data)
    return path


def test_a_zip_whose_table_lies(tmp_path):
    path = patched(zipped(tmp_path / "a.zip"), "a/two.txt", size=100)
    with pytest.raises(DamagedMember, match="more than the 100 bytes"):
        contents(path)["a/two.txt"].read_bytes()
    path = patched(zipped(tmp_path / "a.zip"), "a/two.txt", size=40_000)
    with pytest.raises(DamagedMember, match="30,000 of 40,000"):
        contents(path)["a/two.txt"].read_bytes()
    path = patched(zipped(tmp_path / "a.zip"), "a/two.txt", crc=1)
    with pytest.raises(DamagedMember, match="CRC-32"):
        on_disk(contents(path)["a/two.txt"])
    path = patched(zipped(tmp_path / "a.zip"), "a/two.txt", start=0)
    with pytest.raises(InputError, match="overlap"):
        contents(path)
    path = patched(zipped(tmp_path / "a.zip"), "a/two.txt", start=800_000_000)
    with pytest.raises(InputError):
        read_all(path)
    path = patched(zipped(tmp_path / "a.zip"), "a/one.bin", packed=2**31)
    with pytest.raises(InputError):
        read_all(path)
    assert not list((tmp_path / "cache" / "members").glob("*[!t]"))  # at most a .part


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"])
def test_any_damage_is_one_line(kind, tmp_path):
    path, random = tmp_path / f"a.{kind}", np.random.default_rng(1)
    small = {name: content[:3000] for name, content in FILES.items()}
    if kind == "zip":
        zipped(path, small)
    else:
        taped(path, *small.items(), mode=f"w:{kind[4:]}" if kind != "tar" else "w")
    whole = path.read_bytes()
    bad = [whole[:n] for n in random.integers(0, len(whole), 60)]
    for _ in range(150):
        flipped = bytearray(whole)
        flipped[random.integers(len(whole))] ^= 1 << random.integers(8)
        bad.append(bytes(flipped))
    found = 0
    for content in bad:
        path.write_bytes(content)
        try:
            read_all(path)
        except InputError as e:
            found += 1
            assert "\n" not in str(e) and str(path) in str(e)
    assert found > (60 if kind == "tar" else 150)  # a plain tar has no checksum of what is in it


def test_a_cut_connection_is_taken_up_again(tmp_path):
    whole = zipped(tmp_path / "a.zip", method=zipfile.ZIP_STORED).read_bytes()
    with RangeServer(tmp_path, cut_after=300_000, cut_again=300_000) as server:
        assert contents(f"{server.url}/a.zip")["a/one.bin"].read_bytes() == NOISE
        assert 3 <= len(server.requests) <= 8 and server.sent < 1.05 * len(NOISE)
        assert fetch(f"{server.url}/a.zip").read_bytes() == whole


def test_what_a_dead_connection_left_is_not_fetched_again(tmp_path, monkeypatch):
    zipped(tmp_path / "a.zip", method=zipfile.ZIP_STORED)
    with RangeServer(tmp_path) as server:
        member = contents(f"{server.url}/a.zip")["a/one.bin"]
        before, server.cut_after, server.cut_again = server.sent, 600_000, 0
        with pytest.raises(InputError, match="cut.*try again"):
            on_disk(member)
        assert [p.suffix for p in (tmp_path / "cache" / "members").iterdir()] == [".part"]
        server.cut_after = None
        path = on_disk(member)
        assert path.read_bytes() == NOISE and server.sent - before < 1.01 * len(NOISE)
        del path
        assert not any((tmp_path / "cache" / "members").iterdir())


def test_what_is_left_of_another_file_is_found_out(tmp_path):
    zipped(tmp_path / "a.zip", method=zipfile.ZIP_STORED)
    with RangeServer(tmp_path) as server:
        member = contents(f"{server.url}/a.zip")["a/one.bin"]
        path = on_disk(member)
        part = tmp_path / "cache" / "members" / f"{path.name}.part"
        del path
        part.write_bytes(bytes(100_000))
        assert on_disk(member).read_bytes() == NOISE


def test_a_server_without_ranges_and_other_refusals(tmp_path):
    zipped(tmp_path / "a.zip")
    (tmp_path / "words.zip").write_text("words")
    with RangeServer(tmp_path, ranges=False) as server:
        with pytest.raises(InputError, match="whole files only"):
            contents(f"{server.url}/a.zip")
    with RangeServer(tmp_path) as server:
        with pytest.raises(InputError, match="404|Not Found"):
            contents(f"{server.url}/none.zip")
        with pytest.raises(InputError, match="not a whole"):
            contents(f"{server.url}/words.zip")
        url = server.url
    with pytest.raises(InputError, match="cannot be fetched"):
        contents(f"{url}/a.zip")


def test_fetch_goes_on_in_another_process_and_checks_the_checksum(tmp_path, monkeypatch):
    whole = taped(tmp_path / "a.tar", *FILES.items(), mode="w").read_bytes()
    downloads = tmp_path / "cache" / "downloads"
    with RangeServer(tmp_path, cut_after=400_000, cut_again=0) as server:
        with pytest.raises(InputError, match="bytes came"):
            fetch(f"{server.url}/a.tar")
        assert sorted(p.suffix for p in downloads.iterdir()) == [".part", ".version"]
        server.cut_after = None
        assert fetch(f"{server.url}/a.tar").read_bytes() == whole and server.sent < 1.3 * len(whole)
        with pytest.raises(InputError, match="SHA-256"):
            fetch(f"{server.url}/a.tar?again", sha256="0" * 64)
        (tmp_path / "b.tar").write_bytes(whole[:100_000])
        with pytest.raises(InputError, match="not a whole"):
            fetch(f"{server.url}/b.tar")
    with RangeServer(tmp_path, ranges=False, cut_after=400_000) as server:
        with pytest.raises(InputError):
            fetch(f"{server.url}/a.tar")
    assert [p.name.split("-", 1)[1] for p in downloads.iterdir()] == ["a.tar"]


def hold(member, seen, done):
    path = on_disk(member)
    seen.put(path.read_bytes() == NOISE)
    done.wait(20)


def test_two_processes_that_want_the_same_member_wait_for_each_other(tmp_path):
    zipped(tmp_path / "a.zip")
    member, spawn = contents(tmp_path / "a.zip")["a/one.bin"], multiprocessing.get_context("spawn")
    seen, done = spawn.Queue(), spawn.Event()
    other = spawn.Process(target=hold, args=(member, seen, done))
    other.start()
    assert seen.get(timeout=30)
    threading.Timer(0.3, done.set).start()
    path = on_disk(member)  # waits until the other has let go, and then makes the file anew
    assert done.is_set() and path.read_bytes() == NOISE
    other.join(20)
    assert path.exists()


def test_keep(tmp_path):
    zipped(tmp_path / "a.zip")
    with RangeServer(tmp_path) as server:
        member = contents(f"{server.url}/a.zip")["a/one.bin"]
        name = str(on_disk(member, keep=True))
        sent = server.sent
        assert str(on_disk(member, keep=True)) == name and server.sent == sent
        open(name, "ab").write(b"x")
        assert on_disk(member, keep=True).read_bytes() == NOISE
