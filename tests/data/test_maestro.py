# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""MAESTRO from a zip, a folder and a server: the same bytes, no others fetched, bad ones out."""

import io
import tracemalloc
import zipfile

import numpy as np
import pretty_midi
import pytest
import soundfile

from audiosynth.data import http as web
from audiosynth.data.archives import contents
from audiosynth.data.check import check_dataset
from audiosynth.data.downloads import on_disk
from audiosynth.data.files import InputError
from audiosynth.data.http import RangeServer
from audiosynth.data.maestro import Piece, choose_pieces
from audiosynth.data.sources import prepare
from conftest import unpacked

HEAD = "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration\n"
SPLITS = ["train", "train", "validation", "test"]
SECONDS = 4.0


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSYNTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(web, "WAITS_S", [0.01] * 5)


def wav(seed):
    file, noise = (
        io.BytesIO(),
        np.random.default_rng(seed).normal(0, 0.1, (int(44100 * SECONDS), 2)),
    )
    soundfile.write(file, noise, 44100, format="WAV")
    return file.getvalue()


def midi(seed, notes=8):
    file, made, piano = io.BytesIO(), pretty_midi.PrettyMIDI(), pretty_midi.Instrument(0)
    piano.notes = [
        pretty_midi.Note(60 + seed, 48 + k, 0.4 * k, 0.4 * k + 0.3) for k in range(notes)
    ]
    made.instruments.append(piano)
    made.write(file)
    return file.getvalue()


def files(version=3, **changed):
    "The files of a miniature MAESTRO; `changed` replaces or (None) removes some: a0_wav=…"
    found = {}
    for k in range(len(SPLITS)):
        found |= {f"200{k}/a{k}.midi": midi(k), f"200{k}/a{k}.wav": wav(k)}
    rows = [
        f'Nobody,"A, {k}",{split},200{k},200{k}/a{k}.midi,200{k}/a{k}.wav,{SECONDS}\n'
        for k, split in enumerate(SPLITS)
    ]
    found[f"maestro-v{version}.0.0.csv"] = (HEAD + "".join(rows)).encode()
    for name, content in changed.items():
        (key,) = [f for f in found if f.rpartition("/")[2].replace(".", "_") == name]
        if content is None:
            del found[key]
        else:
            found[key] = content
    return {f"maestro-v{version}.0.0/{name}": content for name, content in found.items()}


def packed(path, files, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def whole(clips):
    return {p.name: p.read_bytes() for p in clips.folder.iterdir()}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_server_a_zip_and_a_folder_give_the_same_bytes_and_only_what_is_asked_for_is_sent(
    method, tmp_path
):
    some = files()
    archive, folder = packed(tmp_path / "m.zip", some, method), unpacked(tmp_path / "m", some)
    for hours, count in [(SECONDS / 3600, 1), (3 * SECONDS / 3600, 3), (None, 4)]:
        with RangeServer(tmp_path) as server:
            clips = prepare(
                "maestro", tmp_path / f"url{count}", from_=f"{server.url}/m.zip", hours=hours
            )
            sent = server.sent
        assert len(clips.groups) == count and clips.states == 512 and clips.rolls([0]).any()
        with zipfile.ZipFile(archive) as zipped:
            needed = sum(
                m.compress_size
                for m in zipped.infolist()
                for g in clips.groups
                if g.removesuffix(".wav") in m.filename
            )
        assert needed < sent < 1.1 * needed
        for k, source in enumerate([archive, folder, folder / "maestro-v3.0.0"]):
            assert whole(
                prepare("maestro", tmp_path / f"{k}-{count}", from_=source, hours=hours)
            ) == whole(clips)
    assert (
        clips.split.tolist() == sorted(clips.split.tolist())
        and [clips.groups[g] for g in np.unique(clips.group)] == clips.groups
    )
    assert clips.manifest["licence"] == "CC BY-NC-SA 4.0" and "200" in clips.groups[0]
    assert not any((tmp_path / "cache" / "members").iterdir())


def test_two_workers_and_sound_alone(tmp_path):
    packed(tmp_path / "m.zip", files())
    with RangeServer(tmp_path) as server:
        source = dict(from_=f"{server.url}/m.zip", states=0)
        one, two = (
            prepare("maestro", tmp_path / "1", workers=1, **source),
            prepare("maestro", tmp_path / "2", workers=2, **source),
        )
    assert whole(one) == whole(two) and one.states == 0 and not (one.folder / "roll.npy").exists()


def test_sound_and_notes_are_those_of_the_files(tmp_path):
    clips = prepare(
        "maestro",
        tmp_path / "out",
        from_=packed(tmp_path / "m.zip", files()),
        rate=44100,
        samples=44100,
        states=1000,
    )
    for k in range(len(clips.groups)):
        rows = np.flatnonzero(clips.group == k)
        truth = soundfile.read(io.BytesIO(wav(k)))[0].mean(1)
        assert np.abs(clips.waves(rows).reshape(-1) - truth).max() < 1e-4
        roll = clips.rolls(rows).reshape(-1, 89)
        for n in range(
            8
        ):  # one state is a millisecond: onset 0.4 n s, key 48 + n is number 27 + n from A0
            assert roll[400 * n + 5, 27 + n] == 60 + k and roll[400 * n - 5, 27 + n] == 0 or n == 0
        assert clips.start[rows].tolist() == [0, 44100, 88200, 132300] and clips.previous[
            rows
        ].tolist() == [-1, *rows[:-1]]


@pytest.mark.parametrize(
    "options",
    [dict(overlap=0.5), dict(overlap=0.3), dict(trim_db=60), dict(trim_db=60, overlap=0.3)],
)
def test_the_notes_of_a_clip_begin_where_the_clip_does(options, tmp_path):
    sound = soundfile.read(io.BytesIO(wav(1)))[0]
    sound[: int(0.57 * 44100)] = 0
    file = io.BytesIO()
    soundfile.write(file, sound, 44100, format="WAV")
    clips = prepare(
        "maestro",
        tmp_path / "out",
        from_=packed(tmp_path / "m.zip", files(a1_wav=file.getvalue())),
        rate=44100,
        samples=44100,
        states=1000,
        **options,
    )
    assert clips.manifest["counts"]["recordings"] == 4 and not clips.manifest["skipped"]
    rows, first = np.flatnonzero(clips.recording == 1), 0.57 if "trim_db" in options else 0
    assert abs(clips.start[rows[0]] / 44100 - first) <= 0.01 and np.all(
        np.diff(clips.start[rows]) == round(44100 * (1 - options.get("overlap", 0)))
    )
    for i in rows:
        roll, begin, onsets = (
            clips.rolls([i])[0],
            clips.start[i] / 44.1,
            0,
        )  # milliseconds, of which each is a state
        assert (
            np.abs(
                clips.waves([i])[0] - np.pad(sound.mean(1), (0, 44100))[clips.start[i] :][:44100]
            ).max()
            < 1e-4
        )
        for n in range(8):
            held = np.flatnonzero(roll[:, 27 + n])
            expected = np.arange(
                max(0, int(np.floor(400 * n - begin + 1e-6))),
                min(1000, int(np.ceil(400 * n + 300 - begin - 1e-6))),
            )
            assert np.array_equal(held, expected) and set(roll[held, 27 + n]) <= {61}, (i, n)
            onsets += len(held) > 0
        assert onsets or begin > 3100
    before = clips.previous[rows] >= 0
    if "overlap" not in options:
        assert np.array_equal(
            clips.histories(rows[before])[:, :1000], clips.rolls(rows[before] - 1)
        )
    assert check_dataset(clips.folder, quiet=True).damaged is False


@pytest.mark.parametrize("version", [1, 2, 3])
def test_versions(version, tmp_path):
    archive = packed(tmp_path / "m.zip", files(version))
    assert (
        prepare("maestro", tmp_path / "out", from_=archive, hours=0.001).manifest["options"][
            "version"
        ]
        == version
    )
    prepare("maestro", tmp_path / "same", from_=archive, hours=0.001, version=version)
    with pytest.raises(InputError, match=f"no maestro-v{version % 3 + 1}.0.0.csv"):
        prepare("maestro", tmp_path / "other", from_=archive, version=version % 3 + 1)


def lying(content):
    "A WAV whose header promises more than there is."
    at = content.index(b"data") + 4
    return content[:at] + (10 * len(content)).to_bytes(4, "little") + content[at + 4 :]


BROKEN = {
    "no wav": (dict(a1_wav=None), "no such file: 2001/a1.wav"),
    "no midi": (dict(a1_midi=None), "no such file: 2001/a1.midi"),
    "no notes": (dict(a1_midi=midi(1, notes=0)), "notes"),
    "half a midi header": (dict(a1_midi=midi(1)[:10]), "MIDI"),
    "no midi at all": (dict(a1_midi=b"words"), "MIDI"),
    "a lying wav": (dict(a1_wav=lying(wav(1))), "cut short"),
    "no wav at all": (dict(a1_wav=b"words " * 1000), "not audio"),
    "too short": (dict(a1_wav=wav(1)[:44] + bytes(4)), ""),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_broken_is_left_out_with_the_reason(kind, tmp_path):
    changed, why = BROKEN[kind]
    some = files(**changed)
    clips = prepare("maestro", tmp_path / "out", from_=packed(tmp_path / "m.zip", some))
    assert [n for n, _ in clips.manifest["skipped"]] == ["2001/a1.wav"] and why in clips.manifest[
        "skipped"
    ][0][1]
    assert clips.groups == ["2000/a0.wav", "2002/a2.wav", "2003/a3.wav"]
    assert whole(clips) == whole(
        prepare("maestro", tmp_path / "two", from_=unpacked(tmp_path / "m", some))
    )


def test_another_duration_than_the_table_says(tmp_path):
    table = files()["maestro-v3.0.0/maestro-v3.0.0.csv"].replace(
        b"2001/a1.wav,4.0", b"2001/a1.wav,7.0"
    )
    clips = prepare(
        "maestro",
        tmp_path / "out",
        from_=packed(tmp_path / "m.zip", files(**{"maestro-v3_0_0_csv": table})),
    )
    assert clips.manifest["skipped"] == [["2001/a1.wav", "4.0 s long, where 7.0 s were promised"]]


@pytest.mark.parametrize("far", [False, True])
def test_a_damaged_member_is_left_out(far, tmp_path):
    archive = packed(tmp_path / "m.zip", files())
    content = bytearray(archive.read_bytes())
    content[content.index(wav(1)[1000:1100]) + 50] ^= 1
    archive.write_bytes(content)
    with RangeServer(tmp_path) as server:
        clips = prepare(
            "maestro", tmp_path / "out", from_=f"{server.url}/m.zip" if far else archive
        )
    ((name, why),) = clips.manifest["skipped"]
    assert (
        name == "2001/a1.wav"
        and why.startswith("is damaged")
        and "CRC-32" in why
        and "m.zip" not in why
    )


TABLES = {
    "no columns": (b"a,b\n1,2\n", "no column"),
    "nothing": (b"", "no column"),
    "no rows": (HEAD.encode(), "no performances"),
    "files elsewhere": (
        HEAD.encode() + b"a,b,train,2004,../../etc/passwd,/etc/passwd,3\n",
        "none of the 1 .* no such file",
    ),
    "bad rows": (
        HEAD.encode()
        + b"a,b,nowhere,2004,2000/a0.midi,2000/a0.wav,3\n"
        + b"a,b,train,2004,2000/a0.midi,2000/a0.wav,x\na\n",
        "none of the 3 .* split 'nowhere'",
    ),
    "not text": (bytes(range(256)) * 20, "no column"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_bad_table(kind, tmp_path):
    table, why = TABLES[kind]
    with pytest.raises(InputError, match=why) as error:
        prepare(
            "maestro",
            tmp_path / "out",
            from_=packed(tmp_path / "m.zip", files(**{"maestro-v3_0_0_csv": table})),
        )
    assert "\n" not in str(error.value) and not (tmp_path / "out").exists()


def test_cut_again_and_again_and_then_dead_the_same_command_goes_on(tmp_path, monkeypatch):
    some = files()
    truth = whole(prepare("maestro", tmp_path / "truth", from_=packed(tmp_path / "m.zip", some)))
    size = (tmp_path / "m.zip").stat().st_size
    with RangeServer(
        tmp_path, cut_after=200_000, cut_again=200_000
    ) as server:  # often, but it comes back
        assert whole(prepare("maestro", tmp_path / "often", from_=f"{server.url}/m.zip")) == truth
        assert server.sent < 1.1 * size and len(server.requests) > 12
    with RangeServer(tmp_path) as server:  # dead three times, at other places
        again = dict(from_=f"{server.url}/m.zip", workers=1)
        for bytes_more in (100_000, 900_000, 600_000):
            server.cut_after, server.cut_again = bytes_more, 0
            with pytest.raises(InputError, match="cannot be fetched") as error:
                prepare("maestro", tmp_path / "dead", **again)
            assert "\n" not in str(error.value)
        server.cut_after = None
        assert whole(prepare("maestro", tmp_path / "dead", **again)) == truth
        assert server.sent < 1.15 * size
    assert not any((tmp_path / "cache" / "members").iterdir())


def test_a_server_that_will_not(tmp_path):
    packed(tmp_path / "m.zip", files())
    with RangeServer(tmp_path, ranges=False) as server:
        with pytest.raises(InputError, match="whole files only.*download it"):
            prepare("maestro", tmp_path / "out", from_=f"{server.url}/m.zip")
    (tmp_path / "words.txt").write_text("words")
    for source in (tmp_path / "none.zip", tmp_path / "words.txt", tmp_path):
        with pytest.raises(InputError):
            prepare("maestro", tmp_path / "out", from_=source)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.zip", "words.txt"]


def test_hours_shares_and_seed():
    random = np.random.default_rng(0)
    rows = [
        Piece(
            f"{i}.wav",
            f"{i}.midi",
            int(random.choice(3, p=[0.8, 0.1, 0.1])),
            float(random.uniform(60, 1200)),
        )
        for i in range(500)
    ]
    there = np.bincount([p.split for p in rows], [p.seconds for p in rows]) / 3600
    before = []
    for hours in (0.01, 0.5, 2, 6, 20, 60):
        some = choose_pieces(rows, hours=hours)
        got = np.bincount([p.split for p in some], [p.seconds for p in some], minlength=3) / 3600
        assert (
            hours <= got.sum() < hours + 1200 / 3600
            and np.abs(got - hours * there / there.sum()).max() < 1200 / 3600
        )
        assert set(before) <= set(some) and some == [p for p in rows if p in some]
        before = some
    assert choose_pieces(rows, hours=5, seed=1) != choose_pieces(rows, hours=5)
    halves = choose_pieces(rows, hours=4, shares=(1, 1, 0))
    got = np.bincount([p.split for p in halves], [p.seconds for p in halves], minlength=3) / 3600
    assert got[2] == 0 and np.abs(got[:2] - 2).max() < 1200 / 3600
    for bad in (
        dict(hours=1e4),
        dict(hours=0),
        dict(hours=float("nan")),
        dict(hours=there.sum() / 2, shares=(0, 0, 1)),
        dict(shares=(1, 1, 1)),
        dict(hours=1, shares=(1, 1)),
        dict(hours=1, shares=(0, 0, 0)),
        dict(hours=1, shares=(1, -1, 1)),
    ):
        with pytest.raises(InputError):
            choose_pieces(rows, **bad)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("far", [False, True])
def test_memory_does_not_grow_with_the_recording(far, method, tmp_path):
    noise, peaks = np.random.default_rng(0).bytes(1 << 20), []
    for megabytes in (10, 40):
        with (
            zipfile.ZipFile(tmp_path / "a.zip", "w", method, compresslevel=1) as archive,
            archive.open("long.wav", "w") as file,
        ):
            for _ in range(megabytes):
                file.write(noise)
        with RangeServer(tmp_path) as server:
            member = contents(f"{server.url}/a.zip" if far else tmp_path / "a.zip")["long.wav"]
            tracemalloc.start()
            path = on_disk(member)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert path.stat().st_size == megabytes << 20
    assert peaks[1] < 1.5 * peaks[0] and peaks[1] < 4e6
