# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Speech Commands from an archive, a folder or the web: ten digits, the official splits."""

import hashlib
import io
import tarfile

import numpy as np
import pytest
import soundfile

from audiosynth.data import http as web
from audiosynth.data import speech_commands as speech_mnist
from audiosynth.data.files import InputError
from audiosynth.data.fsdd import WORDS
from audiosynth.data.http import RangeServer
from audiosynth.data.prepare import summary
from audiosynth.data.sources import prepare
from audiosynth.data.speech_commands import oddity, official_splits
from conftest import unpacked

SPEAKERS = [f"{k:08x}" for k in range(12)]
VALIDATION, TEST = SPEAKERS[3:5], SPEAKERS[7:10]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSYNTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(web, "WAITS_S", [])


def tone(word, who, level=0.3, seconds=1.0):
    return level * np.sin(
        2
        * np.pi
        * (200 + 40 * WORDS.index(word) + 3 * SPEAKERS.index(who))
        * np.arange(int(16000 * seconds))
        / 16000
    )


def encoded(wave, rate=16000):
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format="WAV")
    return file.getvalue()


def spoken():
    return {
        f"{word}/{who}_nohash_{SPEAKERS.index(who) % 3}.wav": encoded(tone(word, who))
        for word in WORDS
        for who in SPEAKERS
    }


def official(files):
    def of(some):
        names = [name for name in files if name.partition("/")[2].partition("_")[0] in some]
        return "".join(f"{name}\n" for name in names).encode()

    return {"validation_list.txt": of(VALIDATION), "testing_list.txt": of(TEST)}


def packed(path, files, prefix="./", mode="w:gz"):
    with tarfile.open(path, mode, **({"compresslevel": 1} if mode == "w:gz" else {})) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def sound(clips):
    return [(clips.folder / name).read_bytes() for name in ("clips.npy", "index.npz")]


def test_every_form_of_the_archive_gives_the_same_clips(tmp_path):
    files, lists = spoken(), official(spoken())
    others = {
        "bed/00000000_nohash_0.wav": b"no digit",
        "_background_noise_/zero.wav": b"neither",
        "README.md": b"words",
        "zero/._00000000_nohash_0.wav": b"a Mac's",
    }
    shuffled = {
        name: files[name] for name in np.random.default_rng(0).permutation(list(files)).tolist()
    }
    first = packed(tmp_path / "first.tar.gz", lists | files | others)
    last = packed(
        tmp_path / "last.tar.gz", others | shuffled | lists, prefix="speech_commands_v0.01/"
    )
    sources = [
        first,
        last,
        packed(tmp_path / "plain.tar", files | lists, mode="w"),
        unpacked(tmp_path / "folder", files | lists | others),
    ]
    made = [
        prepare("speech-mnist", tmp_path / f"out{k}", from_=source)
        for k, source in enumerate(sources)
    ]
    clips = made[0]
    assert all(sound(other) == sound(clips) for other in made)
    assert len(clips) == 120 and clips.labels == WORDS and clips.manifest["licence"] == "CC BY 4.0"
    assert clips.manifest["inputs"] == {
        "first.tar.gz": hashlib.sha256(first.read_bytes()).hexdigest()
    }
    for i in range(len(clips)):
        word, who = clips.labels[clips.label[i]], clips.groups[clips.group[i]]
        assert clips.split[i] == (1 if who in VALIDATION else 2 if who in TEST else 0)
        wave = clips.waves([i])[0]
        assert np.abs(wave[:16000] - tone(word, who)).max() < 1e-4 and not wave[16000:].any()
    assert not [p for p in (tmp_path / "cache").iterdir()]  # what was put aside is gone


def test_from_the_web_with_a_checksum(tmp_path, monkeypatch):
    archive = packed(tmp_path / "a.tar.gz", spoken() | official(spoken()))
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    with RangeServer(tmp_path) as server:
        url = f"{server.url}/a.tar.gz"
        with pytest.raises(InputError, match="SHA-256"):
            prepare("speech-mnist", tmp_path / "no", from_=url, version="0.02")
        monkeypatch.setattr(
            speech_mnist, "SPEECH_COMMANDS", {"0.01": (url, digest), "0.02": (url + "?2", "0" * 64)}
        )
        clips = prepare("speech-mnist", tmp_path / "out")  # the "official" one
        assert clips.manifest["options"]["version"] == "0.01" and len(clips) == 120
        sent = server.sent
        prepare("speech-mnist", tmp_path / "again")  # out of the cache
        assert server.sent == sent
        with pytest.raises(InputError, match="SHA-256"):
            prepare("speech-mnist", tmp_path / "no", version="0.02")
    with pytest.raises(InputError, match="SHA-256"):
        prepare("speech-mnist", tmp_path / "no", from_=archive, sha256="0" * 64)
    with pytest.raises(InputError, match="version .* is unknown"):
        prepare("speech-mnist", tmp_path / "no", version="3")
    assert not (tmp_path / "no").exists()


def test_a_speaker_in_two_splits_is_named(tmp_path):
    files = spoken()
    lists = official(files)
    for name, victim in [("validation_list.txt", VALIDATION[0]), ("testing_list.txt", TEST[1])]:
        wrong = lists | {name: lists[name].replace(f"seven/{victim}".encode(), b"seven/0")}
        with pytest.raises(InputError, match=f"speaker {victim}"):
            prepare(
                "speech-mnist", tmp_path / "out", from_=packed(tmp_path / "a.tar.gz", files | wrong)
            )
    both = lists | {"testing_list.txt": lists["testing_list.txt"] + lists["validation_list.txt"]}
    with pytest.raises(InputError, match="both lists"):
        prepare("speech-mnist", tmp_path / "out", from_=packed(tmp_path / "a.tar.gz", files | both))
    for missing in lists:
        with pytest.raises(InputError, match=missing):
            prepare(
                "speech-mnist",
                tmp_path / "out",
                from_=packed(
                    tmp_path / "a.tar.gz", files | {n: c for n, c in lists.items() if n != missing}
                ),
            )
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "cache") == ["a.tar.gz"]


def test_the_official_rule_never_puts_a_speaker_into_two_splits():
    "The lists come from a hash of the name up to `_nohash_`: that rule, for thousands of speakers."

    def which(name):
        share = (
            int(hashlib.sha1(name.split("/")[1].split("_nohash_")[0].encode()).hexdigest(), 16)
            % 2**27
            * 100
            / (2**27 - 1)
        )
        return 1 if share < 10 else 2 if share < 20 else 0

    random = np.random.default_rng(0)
    names = [
        f"{random.choice(WORDS)}/{random.integers(2000):08x}_nohash_{random.integers(5)}.wav"
        for _ in range(10_000)
    ]
    splits = official_splits(
        names, {s: [n for n in names if which(n) == s] for s in (1, 2)}, source="x"
    )
    assert (
        all(splits[n] == which(n) for n in names)
        and 0.05 < np.mean([s == 1 for s in splits.values()]) < 0.15
    )


def test_quiet_and_clipped_are_reported_and_dropped_when_asked(tmp_path):
    files, who = spoken(), SPEAKERS[0]
    quiet, clipped, short, broken = (f"two/{who}_nohash_{k}.wav" for k in (4, 5, 6, 7))
    files |= {
        quiet: encoded(tone("two", who, 0.009)),
        clipped: encoded(np.clip(tone("two", who, 2), -1, 1)),
        short: encoded(tone("two", who, seconds=0.4)),
        broken: b"RIFF nonsense",
    }
    archive = packed(tmp_path / "a.tar.gz", files | official(files))
    clips = prepare("speech-mnist", tmp_path / "all", from_=archive)
    assert (
        len(clips) == 123
        and clips.manifest["options"]["quiet"] == [quiet]
        and clips.manifest["options"]["clipped"] == [clipped]
    )
    assert [n for n, _ in clips.manifest["skipped"]] == [broken]
    assert f"1 quiet files are among them, the first is {quiet}" in summary(
        clips
    ) and f"1 clipped files are among them, the first is {clipped}" in summary(clips)
    for option, name in (("drop_quiet", quiet), ("drop_clipped", clipped)):
        fewer = prepare("speech-mnist", tmp_path / option, from_=archive, **{option: True})
        assert f"{option[5:]} files" not in summary(fewer)
        assert (
            len(fewer) == 122
            and name in [n for n, _ in fewer.manifest["skipped"]]
            and fewer.manifest["options"][option[5:]] == []
        )


@pytest.mark.parametrize(
    "level, expected",
    [
        (0.0, "quiet"),
        (0.0099, "quiet"),
        (0.0101, None),
        (0.99, None),
        (0.9985, None),
        (1.0, "clipped"),
    ],
)
def test_thresholds(level, expected):
    assert oddity(level * np.sign(np.sin(np.arange(1000)))) == expected


def test_a_limit_per_word(tmp_path):
    archive = packed(tmp_path / "a.tar.gz", spoken() | official(spoken()))
    chosen = {}
    for limit in (2, 5, 100):
        clips = prepare("speech-mnist", tmp_path / f"{limit}", from_=archive, limit_per_word=limit)
        assert np.bincount(clips.label).tolist() == [min(12, limit)] * 10
        chosen[limit] = {w.tobytes() for w in clips.waves(range(len(clips)))}
    assert chosen[2] < chosen[5] < chosen[100]
    other = prepare("speech-mnist", tmp_path / "seed", from_=archive, limit_per_word=5, seed=1)
    assert {w.tobytes() for w in other.waves(range(len(other)))} != chosen[5]
    with pytest.raises(InputError, match="at least 1"):
        prepare("speech-mnist", tmp_path / "no", from_=archive, limit_per_word=0)


def test_another_rate_and_a_cut_archive(tmp_path):
    files = spoken()
    name = next(iter(files))
    archive = packed(
        tmp_path / "a.tar.gz",
        files | {name: encoded(tone("zero", SPEAKERS[0]), 8000)} | official(files),
    )
    ((left, why),) = prepare("speech-mnist", tmp_path / "out", from_=archive).manifest["skipped"]
    assert left == name and "16000 Hz was promised" in why
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a whole"):
        prepare("speech-mnist", tmp_path / "cut", from_=archive)
    assert not (tmp_path / "cut").exists()
