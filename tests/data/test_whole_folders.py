# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""A folder takes its place in one step; links stay links; every file is found once."""

import os
import time

import pytest

from audiosynth.data import files, whole_folders
from audiosynth.data.files import (
    InputError,
    atomic_path,
    file_name,
    mismatch,
    printable,
    read_json,
    read_npz,
    remove_dead,
    temporary_for,
)
from audiosynth.data.whole_folders import exchange, replaceable, swap_in, walk, whole_folder


def folder(path, **files):
    "A folder with these files."
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def content(path):
    return {p.name: p.read_text() for p in path.iterdir()}


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("before", [None, {}, {"a": "old", "mine": "kept"}])
def test_the_new_folder_takes_the_place_of_the_old(before, atomic, tmp_path, monkeypatch):
    if not atomic:
        monkeypatch.setattr(whole_folders, "exchange", lambda *_: False)
    target, new = tmp_path / "model", folder(tmp_path / "new", a="new", b="new")
    if before is not None:
        folder(target, **before)
    swap_in(new, target, keep=True)
    kept = {"mine": "kept"} if before else {}
    assert content(target) == {"a": "new", "b": "new", **kept}
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_without_keep_only_the_new_files_are_there(tmp_path):
    swap_in(folder(tmp_path / "new", a="new"), folder(tmp_path / "old", a="old", roll="old"))
    assert content(tmp_path / "old") == {"a": "new"}


def test_old_or_new_is_there_at_every_call_of_the_system(tmp_path, monkeypatch):
    target = folder(tmp_path / "model", a="old", b="old")
    seen, exchanging = [], whole_folders.exchange

    def watched(one, other):
        seen.append(content(target))
        done = exchanging(one, other)
        seen.append(content(target))
        return done

    monkeypatch.setattr(whole_folders, "exchange", watched)
    swap_in(folder(tmp_path / "new", a="new", b="new"), target)
    assert seen == [{"a": "old", "b": "old"}, {"a": "new", "b": "new"}]


def test_what_cannot_be_renamed_leaves_the_old(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_folders, "exchange", lambda *_: False)
    new, target = folder(tmp_path / "new", a="new"), folder(tmp_path / "old", a="old")
    rename = type(new).rename

    def refuse(self, to):
        if self == new:
            raise OSError(16, "Device or resource busy")
        return rename(self, to)

    monkeypatch.setattr(type(new), "rename", refuse)
    with pytest.raises(OSError):
        swap_in(new, target)
    assert content(target) == {"a": "old"}


def test_a_folder_that_looks_like_ours_and_is_not_stays(tmp_path, monkeypatch):
    mine = folder(tmp_path / ".model.old", letter="keep me")
    for atomic in (True, False):
        if not atomic:
            monkeypatch.setattr(whole_folders, "exchange", lambda *_: False)
        for n in "ab":
            swap_in(folder(tmp_path / "new", a=n), tmp_path / "model")
        assert content(tmp_path / "model") == {"a": "b"} and content(mine) == {"letter": "keep me"}
    assert sorted(p.name for p in tmp_path.iterdir()) == [".model.old", "model"]


def test_an_interruption_between_two_renames_leaves_the_old(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_folders, "exchange", lambda *_: False)
    new, target = folder(tmp_path / "new", a="new"), folder(tmp_path / "old", a="old")
    rename = type(new).rename

    def interrupted(self, to):
        rename(self, to)
        if self == target:
            raise KeyboardInterrupt

    monkeypatch.setattr(type(new), "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        swap_in(new, target)
    assert content(target) == {"a": "old"}


def test_names_are_exchanged(tmp_path):
    one, two = folder(tmp_path / "one", a="1"), folder(tmp_path / "two", a="2")
    assert exchange(one, two) and content(one) == {"a": "2"} and content(two) == {"a": "1"}
    assert not exchange(one, tmp_path / "none")


def test_where_a_folder_cannot_be_replaced(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    (tmp_path / "far").symlink_to("disk/new")
    assert replaceable(tmp_path / "link") == tmp_path / "disk"
    assert replaceable(tmp_path / "far") == tmp_path / "disk" / "new"
    assert replaceable(tmp_path / "new") == tmp_path / "new"
    monkeypatch.chdir(tmp_path / "disk")
    for here in (".", tmp_path / "disk", tmp_path / "link", "../link"):
        with pytest.raises(InputError, match="the folder you are in"):
            replaceable(here)
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path).endswith("disk"))
    with pytest.raises(InputError, match="mounted disk"):
        replaceable(tmp_path / "link")


def test_links_are_followed_and_nothing_is_found_twice(tmp_path):
    folder(tmp_path / "in" / "kick", a="")
    folder(tmp_path / "out" / "deep", b="")
    for link, to in {
        "all": ".",
        "again": "kick",
        "out": "../out",
        "kick/up": "../../out/deep",
    }.items():
        (tmp_path / "in" / link).symlink_to(to)
    (tmp_path / "in" / "gone").symlink_to("nowhere")
    left = []
    found = {str(w.relative_to(tmp_path / "in")): n for w, n in walk(tmp_path / "in", left)}
    assert found == {".": ["gone"], "kick": ["a"], "out": [], "out/deep": ["b"]}
    assert sorted(name for name, _ in left) == ["again", "all", "kick/up"]


def test_a_dead_process_s_file_is_removed_and_a_living_one_s_is_not(tmp_path, monkeypatch):
    for pid in (2**22 + 5, 99999999999, os.getpid(), 1):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        temporary_for(tmp_path / f"{pid}.json").write_text("half")
        monkeypatch.undo()
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 5)
    temporary_for(tmp_path / "model").mkdir()
    monkeypatch.undo()
    for other in (".2024.notes.txt", ".audiosynth-notes", ".audiosynth-5-x", "audiosynth-5-x"):
        (tmp_path / other).write_text("mine")
    remove_dead(tmp_path)
    assert sorted(p.name.split("-")[-1] for p in tmp_path.iterdir()) == sorted(
        [".2024.notes.txt", "notes", "x", "x", "1.json", f"{os.getpid()}.json"]
    )
    remove_dead(tmp_path / "none")


@pytest.mark.parametrize("days, left", [(1, 1), (30, 0)])
def test_what_another_machine_is_writing_is_not_dead(days, left, tmp_path, monkeypatch):
    "Its numbers of processes say nothing here: another computer, or a container beside this one."
    monkeypatch.setattr(files, "machine", lambda: "0123abcd")
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 5)
    theirs = temporary_for(tmp_path / "scores.json")
    theirs.write_text("half")
    monkeypatch.undo()
    os.utime(theirs, (time.time() - days * 86400,) * 2)
    assert temporary_for(tmp_path / "scores.json") != theirs
    remove_dead(tmp_path)
    assert theirs.exists() == left


def test_an_error_of_the_disk_names_the_file(tmp_path):
    with pytest.raises(OSError) as error:
        with atomic_path(tmp_path / "a"):
            raise OSError(28, "No space left on device")
    assert error.value.filename == str(tmp_path / "a")


HOSTILE = ["../x", "/etc/x", "a/b", "a\\b", "..", ".", "", " ", "CON", "nul.txt", "a\0b", "a\nb"]
HOSTILE += ["x" * 300, "é" * 300, ".hidden", "end.", "a:b", "\ud800", "\u2028", "*", "-rf"]


def test_no_text_leads_out_of_a_folder(tmp_path):
    names = [file_name(text) for text in HOSTILE]
    assert len({name.casefold() for name in names}) == len(HOSTILE)
    for name in names:
        path = tmp_path / f"0000-{name}.wav"
        path.write_text("a")
        assert path.parent == tmp_path and len(name.encode()) < 120
    assert len(list(tmp_path.iterdir())) == len(HOSTILE)


def test_names_as_people_have_them_stay():
    for name in ("seven", "Klavier, tief", "نیم‌فاصله", "a b", "9.41 AM", "👩‍🎤", "c#"):
        assert file_name(name) == name and printable(name)
    assert not printable("a\tb") and not printable("\udc80") and not printable("a\u2028")


@pytest.mark.parametrize(
    "schema, value, line",
    [
        ({"rate": int}, {"rate": "16000"}, "rate is '16000', not a whole number"),
        ({"rate": int}, {"rate": True}, "rate is True, not a whole number"),
        ({"rate": int}, {"rate": 10**30}, "rate is 1" + "0" * 30 + ", not a whole number"),
        ({"rate": int}, {}, "it does not say rate"),
        ({"rate": int}, [], "it is [], not an object {…}"),
        ({"a": {"b": [str]}}, {"a": {"b": ["x", 5]}}, "a.b[1] is 5, not text"),
        ({str: float}, {"x": None}, "x is None, not a number"),
        ({"x": (str, None)}, {"x": 5}, "x is 5, not text or null"),
    ],
)
def test_the_line_names_the_field(schema, value, line):
    assert mismatch(value, schema) == line


@pytest.mark.parametrize("text", ["[" * 200_000, "", "{", "\0\0", '{"a": }', "\ufeff["])
def test_what_is_no_json_is_one_line(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match="a.json: cannot be read .*; mend it") as error:
        read_json(tmp_path / "a.json", remedy="mend it")
    assert "\n" not in str(error.value) and len(str(error.value)) < 300 + len(str(tmp_path))
    (tmp_path / "a.json").write_text('\ufeff{"a": 1}')
    assert read_json(tmp_path / "a.json", {"a": int}, remedy="") == {"a": 1}


def test_an_array_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    import numpy as np

    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(10_000))
    assert len(read_npz(tmp_path / "a.npz", remedy="")["a"]) == 10_000
    monkeypatch.setattr("audiosynth.data.files.UNPACKED", 50_000)
    with pytest.raises(InputError, match="more than a gigabyte"):
        read_npz(tmp_path / "a.npz", remedy="")


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    "What is damaged is put aside; a file that says of itself that it is gigantic is damaged."
    import numpy as np

    np.savez(tmp_path / "a.npz", a=np.zeros(10))
    load = np.load
    for size, kind in ((5, InputError), (2**40, Damaged)):

        def short(*args, size=size, **options):
            raise type("_ArrayMemoryError", (MemoryError,), dict(shape=(size,), dtype="f8"))

        monkeypatch.setattr(np, "load", short)
        with pytest.raises(InputError) as error:
            read_npz(tmp_path / "a.npz", remedy="", damaged=Damaged)
        assert type(error.value) is kind
    monkeypatch.setattr(np, "load", load)


class Damaged(InputError):
    pass


@pytest.mark.parametrize("kind", ["folder", "link", "lost link"])
def test_what_somebody_keeps_beside_the_files_stays(kind, tmp_path):
    folder, elsewhere = tmp_path / "exports", tmp_path / "elsewhere"
    (folder / "mine").mkdir(parents=True)
    elsewhere.mkdir()
    (folder / "mine" / "letter.txt").write_text("keep me")
    (folder / "model.json").write_text("old")
    if kind != "folder":
        (folder / "mine" / "letter.txt").rename(elsewhere / "letter.txt")
        (folder / "mine").rmdir()
        (folder / "mine").symlink_to(elsewhere if kind == "link" else tmp_path / "gone")
    with whole_folder(folder) as new:
        (new / "model.json").write_text("new")
    assert (folder / "model.json").read_text() == "new"
    assert sorted(p.name for p in folder.iterdir()) == ["mine", "model.json"]
    assert (folder / "mine").is_symlink() == (kind != "folder")
    if kind != "lost link":
        assert (folder / "mine" / "letter.txt").read_text() == "keep me"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["elsewhere", "exports"]
