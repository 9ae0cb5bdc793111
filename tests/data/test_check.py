# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""`check_dataset` finds what is damaged and what is odd, and nothing in what is neither."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import audiosynth
from audiosynth.data.check import check_dataset
from audiosynth.data.clips import pcm16
from audiosynth.data.clips_writer import ClipsWriter
from audiosynth.data.cutting import Recording
from audiosynth.data.files import InputError
from audiosynth.data.midi import roll_clips, roll_of
from audiosynth.data.prepare import SOURCES, Plan, prepare
from audiosynth.data.recordings import blocks, cut
from audiosynth.data.sources import load_clips

SAMPLES, RATE, STATES = 2048, 16000, 64
PIANO = Path(audiosynth.__file__).parent / "embedded" / "piano"


def noise(n, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal((n, SAMPLES))


def dataset(folder, waves, rolls=None, *, manifest=(), **rows):
    """A dataset of `waves` (n, samples), perhaps with rolls; `rows` hold one value per clip."""
    samples, states = len(waves[0]), None if rolls is None else len(rolls[0])
    writer = ClipsWriter(
        folder,
        rate=RATE,
        samples=samples,
        source="made up",
        licence="none",
        labels=["a", "b"],
        split_by="by recording",
        force=True,
        **({} if rolls is None else dict(states=states)),
    )
    with writer:
        for i, wave in enumerate(waves):
            roll = {} if rolls is None else dict(roll=rolls[i])
            writer.add(pcm16(wave), **{name: values[i] for name, values in rows.items()}, **roll)
        writer.manifest.update(manifest)
    return Path(folder)


def recordings(folder, **more):
    """Two recordings of six clips each, train and test, each clip with the one before."""
    previous = [-1, 0, 1, 2, 3, 4, -1, 6, 7, 8, 9, 10]
    rows = dict(
        group=["x"] * 6 + ["y"] * 6,
        split=[0] * 6 + [2] * 6,
        previous=previous,
        start=[SAMPLES * (i % 6) for i in range(12)],
        label=["a", "b"] * 6,
    )
    rolls = np.zeros((12, STATES, 89), "uint8")
    rolls[:, ::16, 40] = 80
    return dataset(folder, noise(12), rolls, **rows | more)


def kinds(report):
    return [f.kind for f in report.findings]


def said(report):
    return "\n".join(f.what for f in report.findings)


def test_a_good_dataset(tmp_path):
    report = check_dataset(recordings(tmp_path / "d"), quiet=True)
    assert not report.damaged and "odd" not in kinds(report), report
    assert "12 clips of 2048 samples at 16000 Hz, with 64 states" in str(report)


@pytest.mark.parametrize("name", ["digits", "piano"])
def test_the_embedded_sets(name):
    report = check_dataset(load_clips(name).folder, quiet=True)
    odd = [f.what for f in report.findings if f.kind == "odd"]
    assert (
        not report.damaged
        and (name == "piano" or not odd)
        and all("silent" in what for what in odd)
    ), report  # two pieces end in silence


FILES = ["clips.npy", "index.npz", "roll.npy"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0, 0.3, 0.7, -1])
def test_one_damaged_byte(name, where, tmp_path):
    path = recordings(tmp_path / "d") / name
    content = bytearray(path.read_bytes())
    at = where if where in (0, -1) else int(where * len(content))
    content[at] ^= 1
    path.write_bytes(content)
    report = check_dataset(tmp_path / "d", quiet=True)
    assert report.damaged and name in said(report), report


@pytest.mark.parametrize("name", FILES)
def test_cut_longer_missing_and_empty_files(name, tmp_path):
    path = recordings(tmp_path / "d") / name
    whole = path.read_bytes()
    for content in (
        whole[:-1],
        whole[:100],
        whole[: len(whole) // 2],
        b"",
        whole + b"\0",
        b"\x93NUMPY",
        b"words",
    ):
        path.write_bytes(content)
        report = check_dataset(tmp_path / "d", quiet=True)
        assert report.damaged and name in said(report), (content[:20], report)
        assert all("\n" not in f.what and f.advice for f in report.findings)
    path.unlink()
    report = check_dataset(tmp_path / "d", quiet=True)
    assert report.damaged and f"{name}: missing" in said(report)
    path.write_bytes(whole)
    assert not check_dataset(tmp_path / "d", quiet=True).damaged


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_dataset(name, tmp_path):
    recordings(tmp_path / "d")
    other = (
        recordings(tmp_path / "e", label=["b", "a"] * 6)
        if name == "index.npz"
        else dataset(tmp_path / "e", noise(12, seed=1), np.full((12, STATES, 89), 3, "uint8"))
    )
    (tmp_path / "d" / name).write_bytes((other / name).read_bytes())
    report = check_dataset(tmp_path / "d", quiet=True)
    assert report.damaged and f"{name}: not what was written" in said(report)


def test_two_files_swapped(tmp_path):
    folder = recordings(tmp_path / "d")
    (
        (folder / "clips.npy").rename(folder / "x"),
        (folder / "roll.npy").rename(folder / "clips.npy"),
        (folder / "x").rename(folder / "roll.npy"),
    )
    report = check_dataset(folder, quiet=True)
    assert report.damaged and "clips.npy: holds uint8" in said(report)


def edited(folder, **values):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return check_dataset(folder, quiet=True)


@pytest.mark.parametrize(
    "values, found",
    [
        (dict(counts={"train": 7, "validation": 0, "test": 5}), "counts 7 train clips"),
        (dict(samples=1024), "clips.npy"),
        (dict(labels=["a"]), "label"),
        (dict(groups=["x"]), "group"),
        (dict(rate="loud"), "rate"),
        (dict(rate=0), "rate"),
        (dict(samples=True), "samples"),
        (dict(files=[]), "files"),
        (dict(groups={}), "groups"),
        (dict(files={"clips.npy": "0" * 64}), "clips.npy: not what was written"),
        (dict(files={"../../etc/passwd": "0" * 64}), "passwd"),
    ],
)
def test_an_edited_manifest(values, found, tmp_path):
    report = edited(recordings(tmp_path / "d"), **values)
    assert report.damaged and found in said(report), report


def test_an_older_dataset_without_checksums(tmp_path):
    folder = recordings(tmp_path / "d")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.pop("files", None)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    report = check_dataset(folder, quiet=True)
    assert not report.damaged and "no checksums" in said(report)


def test_what_is_not_a_dataset(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(InputError, match="not a prepared dataset"):
            check_dataset(folder)


@pytest.mark.parametrize(
    "previous",
    [
        [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        [-1, 0, 0, 2, 3, 4, -1, 6, 7, 8, 9, 10],
        [-1, 0, 1, 2, 3, 5, -1, 6, 7, 8, 9, 10],
        [-1, 0, 1, 2, 3, 99, -1, 6, 7, 8, 9, 10],
        [-1, 0, 1, 2, 3, -5, -1, 6, 7, 8, 9, 10],
        [-1, 0, 1, 3, 2, 4, -1, 6, 7, 8, 9, 10],
        [-1, 0, 1, 2, 3, 4, -1, 6, 7, 8, 9, 8],
    ],
    ids=[
        "another recording",
        "two after one",
        "itself",
        "beyond the end",
        "negative",
        "out of order",
        "skipped",
    ],
)
def test_wrong_previous_clips(previous, tmp_path):
    report = check_dataset(recordings(tmp_path / "d", previous=previous), quiet=True)
    assert report.damaged and "the clip before is wrong" in said(report)


def test_odd_clips_are_named_and_only_they(tmp_path):
    waves = noise(10)
    waves[1] *= 1e-4
    waves[2] = 0
    waves[3] = 3 * np.sin(2 * np.pi * 500 * np.arange(SAMPLES) / RATE)
    waves[4] += 0.2
    waves[5] = 0.9999 * np.sin(2 * np.pi * 100 * np.arange(SAMPLES) / RATE)
    waves[7], waves[8] = waves[6], waves[0]
    report = check_dataset(
        dataset(tmp_path / "d", waves, split=[0] * 8 + [2] * 2, group=list("aaaaaaaabb")),
        quiet=True,
    )
    odd = {
        f.what.split(" are ")[1].split(" ")[0] + f.what.split(" ")[1]: sorted(f.clips)
        for f in report.findings
        if f.kind == "odd"
    }
    assert odd == {
        "silentclips": [1, 2],
        "clippedclips": [3],
        "offclips": [4],
        "copiesclips": [7, 8],
        "inof": [8],
    }, report
    assert not report.damaged and "1 (train, 'a', 0.0 s)" in said(report)


@pytest.mark.parametrize(
    "sentence, kind",
    [("by recording", "odd"), ("by take; every speaker is in every split", "note")],
)
def test_groups_in_two_splits(sentence, kind, tmp_path):
    report = check_dataset(
        dataset(
            tmp_path / "d",
            noise(4),
            split=[0, 1, 0, 2],
            group=list("aabc"),
            manifest=dict(split_by=sentence),
        ),
        quiet=True,
    )
    (found,) = [f for f in report.findings if "more than one split" in f.what]
    assert found.kind == kind and "'a'" in found.what and "'b'" not in found.what


def played(folder, late_s):
    """The embedded minuet with its roll, the sound `late_s` after the notes."""
    sound = np.concatenate(list(blocks(PIANO / "minuet.flac", rate=RATE)))
    shift = round(late_s * RATE)
    sound = np.pad(sound, (max(shift, 0), 0))[max(-shift, 0) :]
    clips = [c for c, _ in cut([sound], samples=16384)]
    n = range(len(clips))
    rolls = roll_of(PIANO / "minuet.mid", len(sound), rate=RATE, samples=16384)
    return dataset(
        folder,
        clips,
        rolls,
        previous=[i - 1 for i in n],
        start=[16384 * i for i in n],
        group=["minuet"] * len(clips),
    )


@pytest.mark.parametrize("late_s", [0, 0.01, 0.05, -0.05])
def test_the_lag_of_a_recording(late_s, tmp_path):
    report = check_dataset(played(tmp_path / "d", late_s), quiet=True)
    ((name, lag),) = report.lags.items()
    assert abs(lag.lag_s - late_s) < 0.004 and "minuet" in name and not report.damaged
    assert ("not where their notes are" in said(report)) == (abs(late_s) > 0.02)


def test_no_lag_is_claimed_where_none_can_be_told(tmp_path):
    report = check_dataset(recordings(tmp_path / "d"), quiet=True)
    assert [lag.lag_s for lag in report.lags.values()] == [
        None,
        None,
    ] and "no clear lag in 2 of 2" in said(report)


MEMORY = """
import re, sys
from audiosynth.data.check import check_dataset
check_dataset(sys.argv[1], quiet=True)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_the_dataset(tmp_path):
    peaks = []
    for n in (100, 4000):
        folder = dataset(tmp_path / str(n), np.zeros((1, 16384)))
        np.lib.format.open_memmap(folder / "clips.npy", "w+", dtype="<i2", shape=(n, 16384)).flush()
        np.savez(
            folder / "index.npz",
            **{name: np.zeros(n, "int64") for name in ("label", "group", "split", "start")},
            previous=np.full(n, -1),
        )
        manifest = json.loads((folder / "manifest.json").read_text()) | {"counts": {"train": n}}
        manifest.pop("files", None)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(folder)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout) / 1024)
    print(
        f"peak resident memory: 100 clips {peaks[0]:.0f} MB, 4,000 clips (131 MB) {peaks[1]:.0f} MB"
    )
    assert peaks[1] - peaks[0] < 20


def test_whatever_the_manifest_says_there_is_a_report_or_a_line(tmp_path):
    folder = recordings(tmp_path / "d")
    path = folder / "manifest.json"
    whole = json.loads(path.read_text())
    odd = [None, 0, -1, 3.5, "x", [], {}, [1], ["a"], {"a": 1}, True, 10**30, {"train": "x"}]
    texts = [json.dumps(whole | {key: value}) for key in whole for value in odd] + [
        "[]",
        "null",
        "3",
        "",
        "{",
        "{}",
        '"x"',
        "\0",
    ]
    for text in texts + [json.dumps({k: v for k, v in whole.items() if k != key}) for key in whole]:
        path.write_text(text)
        try:
            assert all("\n" not in f.what for f in check_dataset(folder, quiet=True).findings)
        except InputError as error:
            assert "\n" not in str(error)


def test_whatever_the_index_says_there_is_a_report(tmp_path):
    folder, rng = recordings(tmp_path / "d"), np.random.default_rng(0)
    whole = dict(np.load(folder / "index.npz"))
    for _ in range(60):
        column = rng.choice(list(whole))
        changed = whole[column].copy()
        changed[rng.integers(len(changed))] += rng.choice([-(2**61), 2**61, -1, 1, 99])
        np.savez(folder / "index.npz", **whole | {column: changed})
        assert check_dataset(folder, quiet=True).damaged, (column, changed)
    for bad in (
        dict(label=whole["label"][:3]),
        dict(label=whole["label"] / 2),
        dict(label=np.array(5)),
        dict(label=np.array([None] * 12)),
        {name: column[:0] for name, column in whole.items()},
    ):
        np.savez(folder / "index.npz", **whole | bad)
        assert check_dataset(folder, quiet=True).damaged


@pytest.mark.parametrize("name", FILES)
def test_any_damaged_bytes_are_found(name, tmp_path):
    path, rng = recordings(tmp_path / "d") / name, np.random.default_rng(0)
    whole = path.read_bytes()
    for i in range(60):
        content = bytearray(whole)
        for at in rng.integers(0, 200 if i % 2 else len(content), 3):
            content[at] ^= rng.integers(1, 256)
        path.write_bytes(content)
        assert check_dataset(tmp_path / "d", quiet=True).damaged or content == whole


def overlapping(folder, overlap):
    """Noise of five clips' length, cut with an overlap, as `prepare` enters it."""
    from audiosynth.data.recordings import hop_of, steps_back

    hop, steps = hop_of(SAMPLES, overlap), steps_back(SAMPLES, overlap)
    sound = noise(5).reshape(-1)
    clips = [c for c, _ in cut([sound], samples=SAMPLES, overlap=overlap)]
    n = len(clips)
    return dataset(
        folder,
        clips,
        start=[hop * i for i in range(n)],
        previous=[i - steps if steps and i >= steps else -1 for i in range(n)],
    )


@pytest.mark.parametrize("overlap", [0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4])
def test_clips_that_overlap(overlap, tmp_path):
    report = check_dataset(overlapping(tmp_path / "d", overlap), quiet=True)
    assert not report.findings, report


@pytest.mark.parametrize("roll", [roll_of, roll_clips])
def test_prepared_with_its_notes_and_a_bad_midi_left_out(roll, tmp_path, monkeypatch):
    (tmp_path / "cut.mid").write_bytes((PIANO / "scales.mid").read_bytes()[:300])

    def plan(from_):
        names = {
            "minuet": PIANO / "minuet.mid",
            "arpeggios": PIANO / "arpeggios.mid",
            "scales": tmp_path / "cut.mid",
        }
        listed = [
            Recording(n, str(PIANO / f"{n}.flac"), group=n, split=0, roll=partial(roll, midi))
            for n, midi in names.items()
        ]
        return Plan(listed, len(listed), 10**6, "Apache-2.0", "by piece", [], states=512)

    monkeypatch.setitem(SOURCES, "pieces", plan)
    clips = prepare("pieces", tmp_path / "d", workers=1)
    assert (
        clips.states == 512
        and [name for name, _ in clips.manifest["skipped"]] == ["scales"]
        and "MIDI" in clips.manifest["skipped"][0][1]
    )
    report = check_dataset(clips.folder, quiet=True)
    assert (
        not report.damaged
        and set(report.lags) == {"minuet", "arpeggios"}
        and all(abs(lag.lag_s) < 0.004 for lag in report.lags.values())
    ), report
