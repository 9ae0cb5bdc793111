# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Files are whole or absent, whatever stops the program that writes them; messages are one line."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audiosynth.data.files import (
    DiskFull,
    InputError,
    atomic_path,
    cache,
    cannot_write,
    look_up,
    missing_parents,
    remove_folder,
    sha256_of,
    unknown,
    write_json,
    write_text,
)


def test_json_and_text_are_written_whole(tmp_path):
    write_json(tmp_path / "a.json", {"ä": [1, 2.5, None]})
    assert (tmp_path / "a.json").read_bytes() == (
        b'{\n "\\u00e4": [\n  1,\n  2.5,\n  null\n ]\n}\n'
    )
    write_text(str(tmp_path / "a.txt"), "größer\n")
    assert (tmp_path / "a.txt").read_bytes() == "größer\n".encode()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.txt"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), SystemExit()]
)
@pytest.mark.parametrize("before", [None, "old"])
def test_what_fails_half_way_leaves_the_file_from_before(error, before, tmp_path):
    path = tmp_path / "model.keras"
    if before:
        path.write_text(before)
    with pytest.raises(type(error)):
        with atomic_path(path) as temporary:
            assert temporary.parent == tmp_path and temporary.suffix == ".keras"
            temporary.write_text("new")
            assert not before or path.read_text() == before
            raise error
    assert [p.read_text() for p in tmp_path.iterdir()] == ([before] if before else [])


def test_content_that_json_cannot_hold_changes_nothing(tmp_path):
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", object())
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.json", "\ud800")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["1\n"]


def test_a_folder_that_does_not_exist_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "none" / "a.txt", "a")
    with pytest.raises(OSError):
        write_text(tmp_path, "a")  # a folder stands there
    assert not list(tmp_path.iterdir())


WRITER = """
import sys
from audiosynth.data.files import write_json
n = 0
while True:
    write_json(sys.argv[1], [n] * 50_000)
    n += 1
    print(n, flush=True)
"""


def test_a_killed_program_leaves_a_whole_file(tmp_path):
    path = tmp_path / "numbers.json"
    for delay_s in (0, 0.003, 0.007, 0.013):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        time.sleep(delay_s)
        process.kill()
        process.communicate()
        numbers = json.loads(path.read_text())
        assert len(numbers) == 50_000 and len(set(numbers)) == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_has_an_error_of_its_own(code):
    error = cannot_write(Path("data/out"), OSError(code, "whatever"))
    assert isinstance(error, DiskFull) and isinstance(error, InputError)
    assert str(error) == "data/out: the disk is full; make room and try again"


def test_why_a_folder_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("a")
    with pytest.raises(OSError) as caught:
        (tmp_path / "file" / "out").mkdir()
    error = cannot_write(tmp_path / "out", caught.value)
    assert not isinstance(error, DiskFull) and str(error) == (
        f"{tmp_path}/out: cannot be written (not a directory); choose another output folder"
    )
    assert "(no such format)" in str(cannot_write("out", OSError(0, "No such format")))


def test_unknown_names_come_with_the_nearest_one():
    names = {"wave": 1, "log_mag": 2, "stft": 3}
    assert look_up("stft", names, "row") == "stft"
    with pytest.raises(InputError) as error:
        look_up("wav", names, "row")
    assert str(error.value) == (
        "row 'wav' is unknown: did you mean 'wave'? There are wave, log_mag, stft"
    )
    assert unknown("row", "qqq", names) == (
        "row 'qqq' is unknown: choose one of wave, log_mag, stft"
    )
    assert unknown("row", None, []) == "row None is unknown: choose one of (there are none)"
    with pytest.raises(InputError, match="0.3' is unknown: did you mean '0.02'"):
        look_up("0.3", ["0.01", "0.02"], "version")


def test_sha256_of_a_path_and_of_an_open_file(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    expected = hashlib.sha256(content).hexdigest()
    assert sha256_of(tmp_path / "a") == sha256_of(str(tmp_path / "a")) == expected
    with open(tmp_path / "a", "rb") as file:
        file.seek(1000)
        assert sha256_of(file) == expected


def test_only_empty_parents_are_removed(tmp_path):
    folder = tmp_path / "a" / "b" / "c"
    made = missing_parents(folder)
    assert made == [tmp_path / "a" / "b", tmp_path / "a"]
    folder.mkdir(parents=True)
    (folder / "clips.npy").write_bytes(b"x")
    (tmp_path / "a" / "other").write_bytes(b"x")
    remove_folder(folder, made)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["other"]
    remove_folder(folder, made)  # is gone already


def test_the_cache_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSYNTH_CACHE", str(tmp_path))
    assert cache() == tmp_path
    monkeypatch.delenv("AUDIOSYNTH_CACHE")
    assert cache() == Path.home() / ".cache" / "audiosynth"
