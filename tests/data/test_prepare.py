# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""A dataset in the making: killed at any moment, made by two at once, on any back end, from any
folder, the bytes are the same."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
import soundfile

import audiosynth.data.sources  # noqa: F401, adds the row `folder`
from audiosynth.data.clips import KEYS, Clips
from audiosynth.data.clips_writer import ClipsWriter
from audiosynth.data.cutting import Recording, _in_thread
from audiosynth.data.files import InputError, sha256_of
from audiosynth.data.prepare import SOURCES, Plan, prepare
from audiosynth.data.recordings import blocks, sounding
from audiosynth.data.work_folder import Busy, locked, unfinished

# moments to be killed at; 30 were tried:
# KILLS=30 python -m pytest tests/data/test_prepare.py -k killed
KILLS = int(os.environ.get("KILLS", 4))
RUN = """
import sys, test_prepare
from audiosynth.data.prepare import prepare
if len(sys.argv) > 4: print("go", flush=True); sys.stdin.readline()
prepare("rolls", sys.argv[2], from_=sys.argv[1], workers=int(sys.argv[3]), force=True)
print("done", flush=True)
"""


def noise_roll(seed, total, *, rate, samples, states, start, overlap):
    return (
        np.random.default_rng([seed, total])
        .integers(0, 128, (total // samples + 1, states, KEYS))
        .astype("uint8")
    )


def rolls_plan(from_):
    """Recordings with made-up notes, some of them given by a function."""
    paths = sorted(Path(from_).glob("*.wav"))
    recordings = (
        Recording(
            p.name,
            partial(Path.read_bytes, p) if i % 3 else str(p),
            group=p.name[0],
            roll=partial(noise_roll, i),
        )
        for i, p in enumerate(paths)
    )
    return Plan(recordings, len(paths), 0, "CC0", "by group", [], states=16)


SOURCES["rolls"] = rolls_plan


def wave(seconds, seed=0, rate=44100):
    return 0.1 * np.random.default_rng(seed).standard_normal((int(seconds * rate), 2))


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """18 recordings of 2 to 10 seconds, two of them bad."""
    folder = tmp_path_factory.mktemp("sound")
    for k in range(18):
        soundfile.write(folder / f"{k:02}.wav", wave(2 + 8 * (k % 5) / 4, k), 44100)
    (folder / "06.wav").write_bytes(b"words")
    os.truncate(folder / "11.wav", 50_000)
    return folder


@pytest.fixture(scope="module")
def whole(sound, tmp_path_factory):
    return contents(
        prepare("rolls", tmp_path_factory.mktemp("whole") / "out", from_=sound, workers=1).folder
    )


def contents(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in Path(folder).iterdir()}


def start(sound, out, workers):
    """The command in a process that waits for a line before it begins."""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(sound), str(out), str(workers), "wait"],
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "go\n", process.stderr.read()
    return process


def finish(process):
    said = process.communicate("go\n", timeout=120)
    assert process.returncode == 0 and said[0] == "done\n", said


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_any_moment_and_finished(workers, sound, whole, tmp_path):
    process, chance, kept = start(sound, tmp_path / "timed", workers), random.Random(workers), []
    began = time.monotonic()
    finish(process)
    seconds = time.monotonic() - began  # once Python has started
    for k in range(KILLS if workers == 1 else (KILLS + 1) // 2):
        out = tmp_path / f"out{k}"
        process = start(sound, out, workers)
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(chance.uniform(0, seconds))
        process.kill()
        process.wait()
        journal = unfinished(out) / "journal"
        kept.append(journal.read_bytes().count(b"\n") if journal.exists() else -1)
        finish(start(sound, out, workers))
        assert contents(out) == whole and not unfinished(out).exists(), (k, kept)
    print(f"killed {len(kept)} times with {workers} processes, in {seconds:.2f} s")
    print(f"recordings done by then: {sorted(kept)}")


def stopped(sound, out, after):
    """Stop a prepare in this process when `after` recordings are in the journal."""

    class Stop(BaseException):
        pass

    def plan(from_):
        plan = rolls_plan(from_)

        def some(recordings):
            for i, recording in enumerate(recordings):
                if i == after:
                    raise Stop
                yield recording

        plan.recordings = some(plan.recordings)
        return plan

    SOURCES["rolls"] = plan
    try:
        with pytest.raises(Stop):
            prepare("rolls", out, from_=sound, workers=1)
    finally:
        SOURCES["rolls"] = rolls_plan
    return unfinished(out)


@pytest.mark.parametrize(
    "damage",
    [
        "nothing",
        "a line half written",
        "an array too long",
        "an array too short",
        "no journal",
        "a changed file",
        "a part half written",
        "the dataset in place",
    ],
)
def test_what_a_stopped_process_leaves_is_taken_up_or_done_again(damage, sound, whole, tmp_path):
    out, here = tmp_path / "out", tmp_path / "sound"
    here.mkdir()
    for path in sound.iterdir():
        os.link(path, here / path.name)
    work = stopped(here, out, 9)
    journal, clips = work / "journal", work / "dataset" / "clips.npy"
    assert journal.read_bytes().count(b"\n") == 9 and not list((work / "parts").iterdir())
    if damage == "a line half written":
        os.truncate(journal, journal.stat().st_size - 7)
    if damage == "an array too long":
        clips.open("ab").write(b"x" * 12345)
    if damage == "an array too short":
        os.truncate(clips, clips.stat().st_size - 12345)
    if damage == "no journal":
        journal.unlink()
    if damage == "a changed file":
        (here / "03.wav").unlink()
        soundfile.write(here / "03.wav", wave(3, 99), 44100)
    if damage == "a part half written":
        (work / "parts" / "9-0123456789abcdef.abcd.clips").write_bytes(b"x" * 999)
    if damage == "the dataset in place":
        prepare("rolls", tmp_path / "twin", from_=here)
        (work / "dataset").rename(work / "gone")
        (tmp_path / "twin").rename(out)
    prepare("rolls", out, from_=here, workers=1)
    again = (
        contents(prepare("rolls", tmp_path / "again", from_=here, workers=1).folder)
        if damage == "a changed file"
        else whole
    )
    assert contents(out) == again and sorted(
        p.name for p in tmp_path.iterdir() if p.name not in ("again", "twin")
    ) == ["out", "sound"]
    assert damage != "a changed file" or again != whole


def test_what_is_done_is_not_done_again(sound, tmp_path, monkeypatch):
    stopped(sound, tmp_path / "out", 9)
    cut_now = []
    import audiosynth.data.cutting as module

    append_clips = module.append_clips

    def noted(recording, *args, **options):
        cut_now.append(recording.name)
        return append_clips(recording, *args, **options)

    monkeypatch.setattr(module, "append_clips", noted)
    prepare("rolls", tmp_path / "out", from_=sound, workers=1)
    assert cut_now == [f"{k:02}.wav" for k in range(9, 18)]


def test_another_command_is_refused_and_force_begins_anew(sound, tmp_path):
    work = stopped(sound, tmp_path / "out", 9)
    before = contents(work / "dataset")
    with pytest.raises(InputError, match="samples was 16384, now 8192") as error:
        prepare("rolls", tmp_path / "out", from_=sound, samples=8192)
    assert "\n" not in str(error.value) and contents(work / "dataset") == before
    assert prepare("rolls", tmp_path / "out", from_=sound, samples=8192, force=True).samples == 8192
    assert not work.exists()


@pytest.mark.parametrize("mine", ["run/log.csv", "notes.txt"])
def test_force_does_not_delete_what_somebody_keeps_in_the_dataset(mine, sound, tmp_path):
    out = prepare("rolls", tmp_path / "out", from_=sound, samples=8192).folder
    (out / ".DS_Store").touch()  # nobody's
    prepare("rolls", out, from_=sound, samples=4096, force=True)
    (out / mine).parent.mkdir(exist_ok=True)
    (out / mine).write_text("weeks of work")
    with pytest.raises(InputError, match=f"holds {mine[:3]}.* beside its dataset") as error:
        prepare("rolls", out, from_=sound, samples=8192, force=True)
    assert "\n" not in str(error.value) and (out / mine).read_text() == "weeks of work"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_work_of_an_unknown_command_is_not_thrown_away(sound, tmp_path):
    work = stopped(sound, tmp_path / "out", 9)
    (work / "command.json").write_text("{")
    before = contents(work / "dataset")
    with pytest.raises(InputError, match="cannot be read") as error:
        prepare("rolls", tmp_path / "out", from_=sound)
    assert "\n" not in str(error.value) and contents(work / "dataset") == before
    assert len(prepare("rolls", tmp_path / "out", from_=sound, force=True))
    assert not work.exists()


def test_a_source_that_breaks_off_keeps_what_is_done(sound, whole, tmp_path):
    def broken(from_):
        plan = rolls_plan(from_)

        def some(recordings):
            for i, recording in enumerate(recordings):
                if i == 9:
                    raise InputError("the wire was cut; try again")
                yield recording

        plan.recordings = some(plan.recordings)
        return plan

    SOURCES["rolls"] = broken
    with pytest.raises(InputError, match="wire was cut.*the same command goes on") as error:
        prepare("rolls", tmp_path / "out", from_=sound, workers=1)
    assert "\n" not in str(error.value)
    SOURCES["rolls"] = rolls_plan
    assert contents(prepare("rolls", tmp_path / "out", from_=sound, workers=1).folder) == whole


def test_two_at_once(sound, whole, tmp_path):
    with locked(unfinished(tmp_path / "out")):
        with pytest.raises(Busy, match="another process") as error:
            prepare("rolls", tmp_path / "out", from_=sound)
        assert "\n" not in str(error.value)
    both = [start(sound, tmp_path / "out", 1) for _ in range(2)]
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=120) for process in both]
    assert any(process.returncode == 0 for process in both), said
    assert all(
        "Busy" in errors or process.returncode == 0 for process, (_, errors) in zip(both, said)
    ), said
    assert contents(tmp_path / "out") == whole and sorted(p.name for p in tmp_path.iterdir()) == [
        "out"
    ]


def test_parts_that_several_processes_left_are_taken_by_one(sound, whole, tmp_path, monkeypatch):
    work, taken = stopped(sound, tmp_path / "out", 3), []
    import audiosynth.data.cutting as parts
    import audiosynth.data.prepare as module

    left = list(rolls_plan(sound).recordings)[3:6]
    for number, recording in enumerate(left, 3):
        parts.cut_to_part(
            recording,
            str(work / "parts" / f"{number}-{parts.fingerprint(recording)}"),
            rate=16000,
            samples=16384,
            overlap=0,
            one_clip=False,
            trim_db=None,
            states=16,
        )
    monkeypatch.setattr(
        module,
        "cut_in_place",
        lambda recording, *a, **k: (
            taken.append(recording.name),
            parts.cut_in_place(recording, *a, **k),
        )[1],
    )
    assert contents(prepare("rolls", tmp_path / "out", from_=sound, workers=1).folder) == whole
    assert taken == [f"{k:02}.wav" for k in range(6, 18)]


@pytest.mark.parametrize("backend", ["threading", "multiprocessing", "loky"])
def test_any_back_end_of_joblib_gives_the_same_bytes(backend, sound, whole, tmp_path):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        assert contents(prepare("rolls", tmp_path / "out", from_=sound).folder) == whole


def test_a_worker_that_does_not_see_the_folder(sound, tmp_path, monkeypatch):
    isdir = os.path.isdir
    monkeypatch.setattr(
        "os.path.isdir", lambda path: not str(path).endswith("parts") and isdir(path)
    )
    with joblib.parallel_config(backend="threading", n_jobs=2):
        with pytest.raises(InputError, match="all workers share"):
            prepare("rolls", tmp_path / "out", from_=sound)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("how", ["path", "bytes", "open file"])
def test_what_was_promised_is_checked(how, tmp_path):
    soundfile.write(tmp_path / "a.wav", wave(3), 44100)
    digest = sha256_of(tmp_path / "a.wav")
    audio = {
        "path": str(tmp_path / "a.wav"),
        "bytes": partial(Path.read_bytes, tmp_path / "a.wav"),
        "open file": partial(open, tmp_path / "a.wav", "rb"),
    }[how]
    for promise, why in [
        (dict(sha256="0" * 64), "its SHA-256 is"),
        (dict(seconds=5), "3.0 s long, where 5.0 s"),
        (dict(source_rate=48000), "44100 Hz, where 48000"),
        (dict(sha256=digest.upper(), seconds=3.5, source_rate=44100), None),
    ]:
        plan = Plan([Recording("a", audio, **promise)], 1, 0, "CC0", "none", [])
        SOURCES["one"] = lambda from_, plan=plan: plan
        if why:
            with pytest.raises(InputError, match=why):
                prepare("one", tmp_path / "out")
            assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
        else:
            assert prepare("one", tmp_path / "out").manifest["inputs"] == {"a": digest}


@pytest.mark.parametrize("after", [0, 3])
def test_a_writer_that_fails_is_reported_and_not_waited_for(after):
    given = []

    def write(items):
        for item in items:
            if len(given) == after:
                raise OSError("full")
            given.append(item)

    with pytest.raises(OSError, match="full"):
        with _in_thread(write) as put:
            for k in range(9):
                put(np.full(3, k))
    assert len(given) == after
    with pytest.raises(KeyboardInterrupt):
        with _in_thread(lambda items: given.extend(items)) as put:
            put(np.zeros(3))
            raise KeyboardInterrupt
    assert len(given) == after + 1


@pytest.mark.parametrize("workers", [1, 2])
def test_what_turns_out_broken_at_its_end_leaves_nothing(workers, sound, whole, tmp_path):
    def lying(from_):
        plan = rolls_plan(from_)
        plan.recordings = (
            replace(r, seconds=99) if r.name in ("03.wav", "17.wav") else r for r in plan.recordings
        )
        return plan

    SOURCES["lying"] = lying
    clips, honest = (
        prepare("lying", tmp_path / "out", from_=sound, workers=workers),
        prepare("rolls", tmp_path / "honest", from_=sound, workers=1),
    )
    assert [name for name, why in clips.manifest["skipped"] if "99.0 s were promised" in why] == [
        "03.wav",
        "17.wav",
    ]
    kept = [
        i
        for i in range(len(honest))
        if honest.manifest["recordings"][honest.recording[i]] in clips.manifest["recordings"]
    ]
    assert len(kept) == len(clips) < len(honest) and np.array_equal(clips.start, honest.start[kept])
    assert np.array_equal(clips.waves(range(len(clips))), honest.waves(kept)) and np.array_equal(
        clips.rolls(range(len(clips))), honest.rolls(kept)
    )


# the format


def test_rolls_and_histories_go_by_previous(sound, tmp_path):
    clips = prepare("rolls", tmp_path / "out", from_=sound, workers=1)
    names = clips.manifest["recordings"]
    assert clips.states == 16 and len(names) == 16 and clips.rolls([0]).dtype == np.uint8
    for i in range(len(clips)):
        number = int(names[clips.recording[i]][:2])
        total = sum(len(b) for b in blocks(sound / names[clips.recording[i]], rate=16000))
        roll = noise_roll(number, total, rate=16000, samples=16384, states=16, start=0, overlap=0)
        k = clips.start[i] // clips.samples
        assert np.array_equal(clips.rolls([i])[0], roll[k])
        past = roll[k - 1] if k else np.zeros_like(roll[0])
        assert np.array_equal(clips.histories([i])[0], np.concatenate([past, roll[k]]))
    for name in ("clips.npy", "index.npz", "roll.npy"):
        assert clips.manifest["files"][name] == sha256_of(clips.folder / name)
    os.truncate(clips.folder / "roll.npy", 5000)
    with pytest.raises(InputError, match="prepare it again"):
        Clips(clips.folder)


def test_an_older_dataset_opens(tmp_path):
    with ClipsWriter(tmp_path / "new", rate=16000, samples=4, source="x", licence="CC0") as writer:
        for k in range(6):
            writer.add(
                np.zeros(4, "int16"),
                group="g",
                previous=k - 1 if k % 3 else -1,
                recording=str(k // 3),
            )
    assert Clips(tmp_path / "new").recording.tolist() == [0, 0, 0, 1, 1, 1]
    old = tmp_path / "new"
    with np.load(old / "index.npz") as index:
        arrays = {k: index[k] for k in index if k != "recording"}
    np.savez(old / "index.npz", **arrays)
    manifest = json.loads((old / "manifest.json").read_text())
    for key in ("states", "files", "recordings", "counts"):
        del manifest[key]
    (old / "manifest.json").write_text(json.dumps(manifest))
    assert Clips(old).recording.tolist() == [0, 0, 0, 1, 1, 1] and Clips(old).states == 0
    with pytest.raises(InputError, match="no clips in the test split; it has .*'train': 6"):
        Clips(old).indices(0, 2, split="test")


@pytest.mark.parametrize("bad", [dict(label="x"), dict(split="x"), dict(roll=np.zeros((1, 1)))])
def test_a_clip_that_is_refused_leaves_nothing(bad, tmp_path):
    "Or all that come after it would have the sound of the clip before."
    about = dict(rate=16000, samples=4, states=2, source="x", licence="CC0", labels=["a"])
    with ClipsWriter(tmp_path / "out", **about) as writer:
        for k in range(4):
            row = dict(label="a", roll=np.full((2, 89), k, "uint8"), group=str(k))
            with suppress(ValueError, AssertionError):
                writer.add(np.full(4, k, "int16"), **row | (bad if k == 1 else {}))
    clips = Clips(tmp_path / "out")
    assert len(clips) == 3 and [clips.groups[g] for g in clips.group] == ["0", "2", "3"]
    assert (32768 * clips.waves(range(3))[:, 0]).tolist() == [0, 2, 3]
    assert clips.rolls(range(3))[:, 0, 0].tolist() == [0, 2, 3]


# the folder source


def tone(seconds, hz=440, rate=16000):
    return 0.4 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


@pytest.fixture
def birds(tmp_path):
    folder = tmp_path / "birds"
    for k, name in enumerate(
        [
            "owl/ann_0.wav",
            "owl/ann_1.flac",
            "owl/ben_0.wav",
            "wren/ben_1.ogg",
            "wren/cat_0.mp3",
            "wren/cat_1.wav",
        ]
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(1.1, 300 + 50 * k), 16000)
    return folder


def table(path, *lines, head="file,label,group,split", encoding="utf-8"):
    path.write_text("\n".join([head, *lines]) + "\n", encoding=encoding)
    return path


def test_groups_from_a_pattern_stay_together(birds, tmp_path):
    clips = prepare("folder", tmp_path / "out", from_=birds, groups=r"/([a-z]+)_")
    assert sorted(clips.groups) == ["ann", "ben", "cat"] and sorted(set(clips.split)) == [0, 1, 2]
    for g in range(3):
        assert len(set(clips.split[clips.group == g])) == 1
    assert "by group" in clips.manifest["split_by"]


def test_labels_groups_and_splits_from_a_table(birds, tmp_path):
    rows = [
        "owl/ann_0.wav,hoot,ann,test",
        "owl/ann_1.flac,hoot,ann,",
        "./owl/ben_0.wav,screech,ben,validation",
        "wren/ben_1.ogg,song,ben,",
        "wren/cat_0.mp3,song,cat,train",
    ]
    clips = prepare(
        "folder",
        tmp_path / "out",
        from_=birds,
        labels=table(tmp_path / "b.csv", *rows, encoding="utf-8-sig"),
    )
    assert clips.labels == ["hoot", "screech", "song"] and clips.manifest["skipped"] == [
        ["wren/cat_1.wav", "has no line in b.csv"]
    ]
    split = {clips.groups[g]: int(s) for g, s in zip(clips.group, clips.split)}
    assert split == {"ann": 2, "ben": 1, "cat": 0} and clips.manifest["inputs"][
        "b.csv"
    ] == sha256_of(tmp_path / "b.csv")
    assert [clips.labels[i] for i in clips.label] == ["hoot", "hoot", "screech", "song", "song"]


def test_a_table_in_the_home_folder_is_found(birds, tmp_path, monkeypatch):
    "No shell expands the ~ in --labels=~/b.csv."
    table(tmp_path / "b.csv", "owl/ann_0.wav,hoot,,")
    monkeypatch.setenv("HOME", str(tmp_path))
    clips = prepare("folder", tmp_path / "out", from_=birds, labels="~/b.csv", one_clip=True)
    assert clips.labels == ["hoot"] and list(clips.manifest["inputs"])[0] == "b.csv"


@pytest.mark.parametrize(
    "rows, head, why",
    [
        (["owl/zoe.wav,hoot,,"], None, "line 2: there is no audio file 'owl/zoe.wav'"),
        (
            ["owl/ann_0.wav,hoot,,", "owl/ann_0.wav,hoot,,"],
            None,
            "line 3: owl/ann_0.wav has a line already",
        ),
        (["owl/ann_0.wav,,,"], None, "line 2: owl/ann_0.wav has no label"),
        (["owl/ann_0.wav,hoot,,training"], None, "'training' is none of train"),
        (
            ["owl/ann_0.wav,hoot,a,train", "owl/ann_1.flac,hoot,a,test"],
            None,
            "line 3: a is in train already",
        ),
        (["owl/ann_0.wav,hoot"], "name,label", "no column file"),
        (["hoot"], "word", "no column file and no column label"),
        ([], None, "without lines"),
    ],
)
def test_a_table_with_a_mistake(rows, head, why, birds, tmp_path):
    path = table(tmp_path / "b.csv", *rows, **({"head": head} if head else {}))
    with pytest.raises(InputError, match=why) as error:
        prepare("folder", tmp_path / "out", from_=birds, labels=path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.csv", "birds"]


def test_other_bad_options_of_a_folder(birds, tmp_path):
    (tmp_path / "latin.csv").write_bytes("file,label\nowl/ann_0.wav,Käuzchen\n".encode("latin-1"))
    for options, why in [
        (dict(labels=tmp_path / "none.csv"), "none.csv: not a table.*no such file"),
        (dict(labels=tmp_path / "latin.csv"), "UTF-8"),
        (dict(groups="("), "not a regular expression"),
        (dict(groups="[a-z]+"), "no part in parentheses"),
        (dict(groups="(ann)"), "found nothing in 4 of 6 files; the first is owl/ben_0.wav"),
        (dict(overlap=1), "overlap"),
        (dict(overlap=-0.1), "overlap"),
        (dict(trim_db=-50), "silence"),
        (
            dict(labels=table(tmp_path / "g.csv", "owl/ann_0.wav,a,b,"), groups="([a-z]+)_"),
            "has groups",
        ),
    ]:
        with pytest.raises(InputError, match=why) as error:
            prepare("folder", tmp_path / "out", from_=birds, **options)
        assert "\n" not in str(error.value)
        assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".csv") == ["birds"]


@pytest.mark.parametrize("overlap", [0, 0.25, 0.5, 2 / 3, 0.9])
def test_overlapping_clips_are_windows_of_the_recording(overlap, tmp_path):
    sound = np.random.default_rng(0).uniform(-0.9, 0.9, 100_003).astype("float32")
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "a.wav", sound, 16000, subtype="FLOAT")
    clips = prepare("folder", tmp_path / "out", from_=tmp_path / "in", overlap=overlap)
    hop = round(16384 * (1 - overlap))
    assert np.array_equal(clips.start, hop * np.arange(len(clips)))
    padded = np.pad(sound, (0, 16384))
    for i, start in enumerate(clips.start):
        assert np.abs(clips.waves([i])[0] - padded[start : start + 16384]).max() <= 2**-16
    assert len(sound) - (clips.start[-1] + 16384) < hop / 2  # not more than half a hop was left out
    for i, p in enumerate(clips.previous):
        ends_here = np.flatnonzero(
            np.abs(clips.start + 16384 - clips.start[i]) < 6
        )  # a hop is rounded
        assert (p == -1 and not len(ends_here)) or p == ends_here[0], (i, p)


def test_silence_is_left_out_at_the_ends_only(tmp_path):
    (tmp_path / "in").mkdir()
    hiss = 1e-4 * np.random.default_rng(0).standard_normal(5 * 22050)
    sound = hiss.copy()
    for at in (1.5, 3.0):
        sound[int(at * 22050) : int((at + 0.5) * 22050)] += tone(0.5, rate=22050)
    soundfile.write(tmp_path / "in" / "a.wav", sound, 22050, subtype="FLOAT")
    soundfile.write(tmp_path / "in" / "b.wav", hiss, 22050, subtype="FLOAT")
    (first, last), length, rate = sounding(tmp_path / "in" / "a.wav", trim_db=50)
    assert (
        length == 5 * 22050
        and rate == 22050
        and abs(first / rate - 1.5) <= 0.01
        and abs(last / rate - 3.5) <= 0.01
    )
    clips = prepare("folder", tmp_path / "out", from_=tmp_path / "in", trim_db=50, samples=4000)
    assert clips.manifest["skipped"] == [
        ["b.wav", "nothing in it is louder than 50 dB below full scale"]
    ]
    assert (
        abs(clips.start[0] - 1.5 * 16000) <= 160
        and len(clips) == 8
        and np.all(np.diff(clips.start) == 4000)
    )
    assert (
        np.abs(clips.waves([0, 7])).max(axis=1).min() > 0.3
        and np.abs(clips.waves([4])).max() < 1e-3
    )  # the pause is kept


def test_an_option_of_another_source(birds, tmp_path):
    with pytest.raises(InputError, match="digits: has no option overlap; it has none"):
        prepare("digits", tmp_path / "out", overlap=0.5)
    with pytest.raises(
        InputError, match="folder: has no option split_by; it has labels, groups, overlap"
    ):
        prepare("folder", tmp_path / "out", from_=birds, split_by="take")


def test_a_dataset_in_the_folder_is_passed_by(birds, tmp_path):
    one = prepare("folder", birds / "clips", from_=birds)
    two = prepare("folder", birds / "more", from_=birds)
    assert contents(one.folder) == contents(two.folder) and not one.manifest["skipped"]


# memory

PEAK = """
import re, sys
from audiosynth.data.sources import prepare
prepare("folder", sys.argv[2], from_=sys.argv[1], workers=1)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def peak_mb(sound, out):
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(sound), str(out)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]) / 1024


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_a_recording_nor_with_their_number(tmp_path):
    peaks = {}
    for name, seconds, n in [("short", 10, 1), ("long", 600, 1), ("many", 0.05, 3000)]:
        (tmp_path / name).mkdir()
        with soundfile.SoundFile(tmp_path / name / "0.wav", "w", 44100, 2) as file:
            for _ in range(max(1, int(seconds // 10))):
                file.write(wave(min(seconds, 10)))
        for k in range(1, n):
            os.link(tmp_path / name / "0.wav", tmp_path / name / f"{k}.wav")
        peaks[name] = peak_mb(tmp_path / name, tmp_path / f"{name}-out")
    print({k: f"{v:.0f} MB" for k, v in peaks.items()})
    assert peaks["long"] - peaks["short"] < 12, peaks  # ten minutes are 210 MB as floats
    assert peaks["many"] - peaks["short"] < 15, (
        peaks
    )  # some kilobytes a recording: names and checksums
