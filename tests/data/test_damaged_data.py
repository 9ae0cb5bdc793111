# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Honest but unusual recordings are used; what is damaged is refused in one line, and said."""

import io
import json
import os
import random
import shutil
import struct

import mido
import numpy as np
import pytest
import soundfile

from audiosynth.data.archives import contents, members
from audiosynth.data.check import check_dataset
from audiosynth.data.clips import Clips, pcm16
from audiosynth.data.clips_writer import ClipsWriter
from audiosynth.data.cutting import cut_to_part, end_with_parent, fingerprint, read_part
from audiosynth.data.files import InputError, NotWritable
from audiosynth.data.folder import folder_plan, read_labels
from audiosynth.data.maestro import read_table
from audiosynth.data.midi import performance
from audiosynth.data.prepare import _command
from audiosynth.data.recordings import BadAudio, blocks, write_wav
from audiosynth.data.sources import prepare
from audiosynth.data.work_folder import unfinished
from audiosynth.listen import as_wave, mp3_bytes

WAVE = (0.3 * np.sin(np.arange(4096) / 5)).astype("float32")


def encoded(kind, wave=WAVE, rate=16000, **options):
    "A wave as a file in memory."
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, **options)
    return file.getvalue()


def read(content):
    return np.concatenate(list(blocks(content, rate=16000)))


def record(folder, *names):
    "A recording under each name."
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, (1 - i / 100) * WAVE, 16000)


# recordings


@pytest.mark.parametrize("codec, rate", [("VORBIS", 16000), ("OPUS", 48000)])
def test_a_flipped_bit_in_an_ogg_file_is_found(codec, rate):
    wave = np.random.default_rng(0).normal(0, 0.1, 48000).astype("float32")
    good, chance = encoded("OGG", wave, rate, subtype=codec), random.Random(1)
    whole = read(good)
    for _ in range(60):
        bad = bytearray(good)
        bad[chance.randrange(len(good) // 2, len(good))] ^= 1 << chance.randrange(8)
        try:
            assert np.array_equal(read(bytes(bad)), whole)
        except BadAudio:
            pass


@pytest.mark.parametrize("kind", ["OGG", "MP3"])
def test_joined_files_are_not_read_by_half(kind):
    content = encoded(kind, np.tile(WAVE, 4))
    with pytest.raises(BadAudio, match="joined"):
        read(content + content)


def test_a_page_saved_as_a_recording_is_text(capfd):
    with pytest.raises(BadAudio, match="text, not audio"):
        read(b"<!DOCTYPE html><html>404 not found</html>" * 20)
    assert capfd.readouterr().err == ""


def test_a_flac_file_of_unknown_length_is_read_to_its_end():
    content = bytearray(encoded("FLAC"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    assert np.array_equal(read(bytes(content)), read(encoded("FLAC")))


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 2 * 4096 + 36, 2 * 4096 + 44])
def test_a_wav_file_with_a_careless_header_is_read(length, tmp_path):
    content = bytearray(encoded("WAV"))
    content[40:44] = struct.pack("<I", length)
    if not length:
        content[4:8] = bytes(4)  # never closed
    (tmp_path / "a.wav").write_bytes(content)
    for source in (bytes(content), str(tmp_path / "a.wav")):
        assert np.array_equal(read(source), read(encoded("WAV")))
    with pytest.raises(BadAudio, match="cut short"):
        read(bytes(content[:40]) + struct.pack("<I", 8192) + bytes(content[44:-1000]))


def test_a_recording_too_short_for_a_sample_is_left_out(tmp_path):
    record(tmp_path / "in", "a.wav", "b.wav", "c.wav")
    soundfile.write(tmp_path / "in" / "short.wav", np.full(5, 0.1), 192_000)
    clips = prepare("folder", tmp_path / "out", from_=tmp_path / "in", samples=2048, workers=1)
    assert [name for name, _ in clips.manifest["skipped"]] == ["short.wav"]
    assert clips.manifest["counts"]["recordings"] == 3


def test_a_sound_is_written_whole_or_not(tmp_path, monkeypatch):
    write_wav(tmp_path / "a.wav", pcm16(WAVE), rate=16000)
    assert (tmp_path / "a.wav").read_bytes() == encoded("WAV", pcm16(WAVE))
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(NotWritable, match="b.wav: the disk is full"):
        write_wav(tmp_path / "b.wav", pcm16(WAVE), rate=16000)
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("kind", ["int16", "int32", "uint8", "float64"])
def test_whole_numbers_are_scaled_by_their_type(kind):
    quiet = 0.1 * np.sin(np.arange(4800) / 5)
    full = {"int16": 32767, "int32": 2**31 - 1, "uint8": 127, "float64": 1}[kind]
    wave = (quiet * full + (128 if kind == "uint8" else 0)).astype(kind)
    assert np.abs(as_wave(wave) - quiet).max() < 0.01
    heard = soundfile.read(io.BytesIO(mp3_bytes(wave, rate=16000)))[0]
    assert np.abs(heard).max() < 0.2
    with pytest.raises(ValueError, match="full scale"):
        mp3_bytes((quiet * 32767).astype("int64"))
    assert np.array_equal(pcm16(np.array([5, -5], "int16")), [5, -5])


# folders


def test_a_label_does_not_depend_on_how_the_path_is_written(tmp_path, monkeypatch):
    record(tmp_path / "rec", "a.wav", "b.wav", "kick/c.wav")
    labels = []
    for here, path in ((".", "rec"), ("rec", "."), ("rec/kick", ".."), (".", tmp_path / "rec")):
        monkeypatch.chdir(tmp_path / here)
        labels.append(folder_plan(path).labels)
    assert labels == [["kick", "rec"]] * 4


def test_the_class_behind_a_link_is_there(tmp_path):
    record(tmp_path, "rec/kick/a.wav", "other/b.wav")
    (tmp_path / "rec" / "snare").symlink_to("../other")
    (tmp_path / "rec" / "again").symlink_to("kick")
    plan = folder_plan(tmp_path / "rec")
    assert [r.name for r in plan.recordings] == ["kick/a.wav", "snare/b.wav"]
    assert plan.labels == ["kick", "snare"] and [name for name, _ in plan.skipped] == ["again"]
    assert [*contents(tmp_path / "rec")] == [name for name, _ in members(tmp_path / "rec")]
    assert [*contents(tmp_path / "rec")] == ["kick/a.wav", "snare/b.wav"]


def test_names_that_people_have(tmp_path):
    names = [
        "no\u00a0break",
        "全角\u3000",
        "9.41\u202fAM",
        "نیم\u200cفاصله",
        "\U0001f469\u200d\U0001f3a4",
    ]
    record(tmp_path, *(f"{name}.wav" for name in names))
    record(tmp_path, "a\nb.wav")
    plan = folder_plan(tmp_path)
    assert plan.total == 5 and [why for _, why in plan.skipped] == [
        "a name that cannot be printed; rename it"
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_with_any_ends_of_lines(end, tmp_path):
    (tmp_path / "l.csv").write_bytes("file,label\na.wav,yes\n".replace("\n", end).encode())
    assert read_labels(tmp_path / "l.csv", {"a.wav"})["a.wav"]["label"] == "yes"
    head = "canonical_composer,split,midi_filename,audio_filename,duration\n"
    rows = "A,train,p.midi,p.wav,1.0\nB,train,q.midi,q.wav,1e308\n"
    table = (head + rows).replace("\n", end).encode()
    names = {"p.midi", "p.wav", "q.midi", "q.wav"}
    found, left = read_table(table, names, source="m.csv")
    assert [p.audio for p in found] == ["p.wav"] and left[0][0] == "q.wav"
    with pytest.raises(InputError, match="m.csv: not a table"):
        read_table((head + "T" * 200_000 + rows).encode(), names, source="m.csv")


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "home" / "rec", "a.wav", "b.wav", "c.wav")
    clips = prepare("folder", "~/out", from_="~/rec", samples=2048, workers=1)
    assert clips.folder == tmp_path / "home" / "out" and len(Clips("~/out")) == len(clips)
    assert not (tmp_path / "~").exists()


def test_no_worker_is_none(tmp_path):
    record(tmp_path / "in", "a.wav")
    with pytest.raises(InputError, match="0 workers"):
        prepare("folder", tmp_path / "out", from_=tmp_path / "in", workers=0)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


# work that was stopped


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    "(recordings, the dataset they make, a work folder with the parts of two of them)"
    place = tmp_path_factory.mktemp("begun")
    record(place / "rec", *(f"{label}/{i}.wav" for label in "ab" for i in range(3)))
    whole = prepare("folder", place / "good", from_=place / "rec", samples=1024, workers=1)
    work = unfinished(place / "out")
    for name in ("parts", "dataset"):
        (work / name).mkdir(parents=True)
    command = _command("folder", str(place / "rec"), 1024, 16000, 0, {})
    (work / "command.json").write_text(json.dumps(command))
    cutting = dict(rate=16000, samples=1024, overlap=0, one_clip=False, trim_db=None, states=0)
    for n, recording in zip(range(2), folder_plan(place / "rec").recordings):
        cut_to_part(recording, str(work / "parts" / f"{n}-{fingerprint(recording)}"), **cutting)
    return place / "rec", whole.folder, work


@pytest.mark.parametrize(
    "damage", ["none", "short", "zeros", "empty slip", "{}", "journal of zeros", "journal {}"]
)
def test_what_a_power_failure_left_is_cut_again(damage, begun, tmp_path, monkeypatch):
    recordings, good, work = begun
    shutil.copytree(work, unfinished(tmp_path / "out"))
    parts = unfinished(tmp_path / "out") / "parts"
    clips, slip = min(parts.glob("0-*.clips")), min(parts.glob("0-*.json"))
    assert read_part(str(clips.with_suffix("")), 1024, 0)["clips"] == 4
    if damage == "short":
        os.truncate(clips, 3000)
    elif damage == "zeros":
        clips.write_bytes(bytes(clips.stat().st_size))
    elif damage in ("empty slip", "{}"):
        slip.write_text("" if damage != "{}" else "{}")
    elif damage != "none":
        line = b"\0\0\0\0\n" if "zeros" in damage else b"{}\n"
        (parts.parent / "journal").write_bytes(line)
    prepare("folder", tmp_path / "out", from_=recordings, samples=1024, workers=1)
    for name in ("clips.npy", "index.npz"):
        assert (tmp_path / "out" / name).read_bytes() == (good / name).read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_stopped_after_the_very_last_step_of_a_forced_command(begun, tmp_path, monkeypatch):
    "The old dataset lies in the work folder then, and must not be taken for the new one."
    recordings, good, _ = begun
    make = dict(from_=recordings, samples=1024, workers=1)
    prepare("folder", tmp_path / "out", seed=5, **make)
    monkeypatch.setattr("audiosynth.data.work_folder.remove_folder", lambda *_: None)
    monkeypatch.setattr("audiosynth.data.whole_folders.remove_folder", lambda *_: None)
    prepare("folder", tmp_path / "out", force=True, **make)
    monkeypatch.undo()
    assert (unfinished(tmp_path / "out") / "dataset" / "clips.npy").exists()
    prepare("folder", tmp_path / "out", force=True, **make)
    for name in ("clips.npy", "index.npz"):
        assert (tmp_path / "out" / name).read_bytes() == (good / name).read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_worker_ends_with_its_parent(tmp_path):
    script = "from audiosynth.data.cutting import end_with_parent\nimport time\n"
    script += "end_with_parent()\nprint('ready', flush=True)\ntime.sleep(60)\n"
    assert callable(end_with_parent)
    import subprocess
    import sys
    import time

    parent = (
        "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', sys.argv[1]],"
        " stdout=subprocess.PIPE)\nchild.stdout.readline()\nprint(child.pid, flush=True)\n"
    )
    found = subprocess.run([sys.executable, "-c", parent, script], capture_output=True, text=True)
    pid, ends = int(found.stdout), time.monotonic() + 20
    while os.path.exists(f"/proc/{pid}/cwd") and time.monotonic() < ends:
        time.sleep(0.05)
    assert time.monotonic() < ends


# datasets


@pytest.fixture
def dataset(tmp_path):
    about = dict(source="noise", licence="CC0", labels=["a", "rare"], rate=16000, samples=64)
    with ClipsWriter(tmp_path / "d", **about) as writer:
        for i in range(4):
            label, split = ("rare", 2) if i == 3 else ("a", 0)
            writer.add(np.full(64, i + 1, "int16"), label=label, group=str(i), split=split)
    return tmp_path / "d"


@pytest.mark.parametrize(
    "field, value",
    [("rate", "16000"), ("samples", 64.5), ("labels", 5), ("groups", 3), ("licence", None)]
    + [("states", "x"), ("rate", True), ("samples", 0), ("counts", [])],
)
def test_a_manifest_of_wrong_types_names_the_field(field, value, dataset):
    manifest = json.loads((dataset / "manifest.json").read_text())
    (dataset / "manifest.json").write_text(json.dumps(manifest | {field: value}))
    with pytest.raises(InputError, match=f"manifest.json: {field} is"):
        Clips(dataset)


def npy(header):
    "An array file with this header."
    header = header.encode() + b" " * 20 + b"\n"
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize("header", ["(" * 40, "{'descr': '<i2', 'fortran_order': False, 'shape': "])
def test_damaged_headers_of_arrays_are_one_line(header, dataset):
    huge = header + "(102399999998976,), }" if header[0] == "{" else header
    import zipfile

    with zipfile.ZipFile(dataset / "index.npz") as old:
        names = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(dataset / "index.npz", "w") as new:
        for name, content in (names | {"label.npy": npy(huge)}).items():
            new.writestr(name, content)
    with pytest.raises(InputError, match="damaged dataset") as error:
        Clips(dataset)
    assert "\n" not in str(error.value)


def test_columns_that_lead_out_of_the_lists_are_damage(dataset):
    with np.load(dataset / "index.npz") as file:
        index = dict(file)
    for name, value in dict(label=2, split=3, group=-1, previous=4, start=-5).items():
        np.savez(dataset / "index.npz", **index | {name: index[name] * 0 + value})
        with pytest.raises(InputError, match=f"{name} in index.npz"):
            Clips(dataset)


def test_a_label_without_a_training_clip_is_odd(dataset):
    report = check_dataset(dataset, quiet=True)
    assert any("rare" in f.what and f.kind == "odd" for f in report.findings)
    assert not report.damaged


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    from audiosynth.data import files, sources

    monkeypatch.setenv("AUDIOSYNTH_CACHE", str(tmp_path / "cache"))

    def refuse(*_, **__):
        raise NotWritable(f"{tmp_path}/cache: cannot be written (read-only file system)")

    monkeypatch.setattr(sources, "prepare", refuse)
    with pytest.raises(NotWritable, match="AUDIOSYNTH_CACHE"):
        sources.load_clips("digits")
    monkeypatch.delenv("AUDIOSYNTH_CACHE")
    monkeypatch.setattr(files.Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no")))
    with pytest.raises(InputError, match="AUDIOSYNTH_CACHE"):
        files.cache()


# MIDI


def midi(ticks_per_beat=480, gap=1, notes=3, extra=b""):
    "A MIDI file of notes that are a beat long, as bytes; `extra`: at the beginning of its track."
    track = mido.MidiTrack()
    for _ in range(notes):
        track.append(mido.Message("note_on", note=60, velocity=80, time=gap * ticks_per_beat))
        track.append(mido.Message("note_off", note=60, time=ticks_per_beat))
    file = io.BytesIO()
    mido.MidiFile(ticks_per_beat=ticks_per_beat, tracks=[track]).save(file=file)
    content = file.getvalue()
    body = extra + content[22:]
    return content[:18] + len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    "extra",
    [
        b"\0\xff\x59\x02\x55\x55",  # a key that does not exist
        b"\0\xff\x58\x01\x04",  # a time signature that is too short
        b"\0\xff\x54\x00",  # an SMPTE offset of no length
        b"\0\xb0\x40\xff",  # a pedal at 255
        b"\0\xff\x01\x03\xff\xfe\xfd",  # text that is none
    ],
)
def test_odd_events_do_not_matter_for_the_notes(extra):
    assert performance(midi(extra=extra)).get_end_time() == performance(midi()).get_end_time() == 3
    notes = performance(midi(extra=extra)).instruments[0].notes
    assert [(n.start, n.end) for n in notes] == [(0.5, 1), (1.5, 2), (2.5, 3)]


def test_a_midi_file_in_riff_is_read():
    content = midi()
    riff = b"RIFF" + (len(content) + 12).to_bytes(4, "little") + b"RMIDdata"
    riff += len(content).to_bytes(4, "little") + content
    assert performance(riff).get_end_time() == 3


@pytest.mark.parametrize("ticks, gap, notes", [(960, 9, 1080), (32767, 4, 120), (32767, 900, 8)])
def test_long_performances_of_many_ticks(ticks, gap, notes):
    length_s = (gap + 1) * notes / 2
    assert abs(performance(midi(ticks, gap, notes)).get_end_time() - length_s) < 0.01
