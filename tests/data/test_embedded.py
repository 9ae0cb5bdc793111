# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""The embedded clips are what their manifests say, and the piano's notes are where the sound is."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

from audiosynth import cli
from audiosynth.data.clips import Clips
from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips

DATA = Path(__file__).resolve().parents[2] / "audiosynth" / "embedded"
WORDS = "zero one two three four five six seven eight nine".split()
MANIFESTS = {
    name: json.loads((DATA / name / "manifest.json").read_text()) for name in ("digits", "piano")
}
PIECES = [clip["group"] for clip in MANIFESTS["piano"]["clips"]]


def clips(name):
    return MANIFESTS[name]["clips"]


def read(name, clip):
    wave, rate = soundfile.read(DATA / name / clip["file"], dtype="float32")
    assert rate == 16000 and wave.ndim == 1, clip["file"]
    return wave


@pytest.mark.parametrize("name", MANIFESTS)
def test_files_are_the_ones_in_the_manifest(name):
    listed = {clip["file"]: clip["sha256"] for clip in clips(name)}
    listed |= {
        clip["recipe"]["midi"]: clip["recipe"]["midi_sha256"]
        for clip in clips(name)
        if "midi" in clip["recipe"]
    }
    present = {path.name for path in (DATA / name).iterdir()} - {"manifest.json"}
    assert present == set(listed)
    for file, digest in listed.items():
        assert hashlib.sha256((DATA / name / file).read_bytes()).hexdigest() == digest, file
    assert len({clip["sha256"] for clip in clips(name)}) == len(clips(name)), (
        "two clips are the same"
    )


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifest_says_what_one_needs_to_know(name):
    manifest = MANIFESTS[name]
    assert manifest["name"] == name and manifest["rate"] == 16000
    assert all(len(manifest[key]) > 40 for key in ("licence", "how", "split_by"))
    assert {"flite", "fluidsynth", "fluid-soundfont-gm", "soxr", "libsndfile"} <= set(
        manifest["versions"]
    )


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_clips_are_under_12_mb_and_everything_under_24():
    assert sum(size(DATA / name) for name in MANIFESTS) < 12e6 and size(DATA) < 24e6


@pytest.mark.parametrize("name", MANIFESTS)
def test_every_clip_is_sound_neither_silent_nor_clipped(name):
    for clip in clips(name):
        wave = read(name, clip)
        assert len(wave) == clip["samples"], clip["file"]
        assert 0.1 < np.abs(wave).max() < 0.99, clip["file"]
        assert np.sqrt(np.mean(wave**2)) > 0.01, clip["file"]


def test_digits_counts_and_splits():
    digits = clips("digits")
    assert MANIFESTS["digits"]["labels"] == WORDS
    assert Counter(clip["label"] for clip in digits) == dict.fromkeys(WORDS, 64)
    assert Counter(clip["group"] for clip in digits) == dict.fromkeys(
        ("slt", "rms", "awb", "kal16"), 160
    )
    assert Counter(clip["split"] for clip in digits) == {"train": 480, "validation": 80, "test": 80}
    variants = {
        split: {c["recipe"]["variant"] for c in digits if c["split"] == split}
        for split in ("train", "validation", "test")
    }
    assert (
        not variants["train"] & variants["validation"]
        | variants["train"] & variants["test"]
        | variants["validation"] & variants["test"]
    )
    for clip in digits:
        assert (
            clip["file"] == f"{clip['label']}_{clip['group']}_{clip['recipe']['variant']:02}.flac"
        )


def test_digits_are_short_trimmed_and_near_one_level():
    for clip in clips("digits"):
        wave = read("digits", clip)
        assert 0.2 * 16000 < len(wave) < 16000, clip["file"]
        peak_db = 20 * np.log10(np.abs(wave).max())
        assert abs(peak_db + 6) < 3.05, (clip["file"], peak_db)
        for margin in (wave[:320], wave[-320:]):  # 20 of the 30 ms at each end
            assert np.abs(margin).max() < 0.1 * np.abs(wave).max(), clip["file"]


def test_variants_of_a_digit_really_differ():
    """Pace and spectrum both move: no two variants have one length and nearly the same wave."""
    for word in WORDS:
        for voice in ("slt", "rms", "awb", "kal16"):
            waves = [
                read("digits", c)
                for c in clips("digits")
                if (c["label"], c["group"]) == (word, voice)
            ]
            assert len({len(wave) for wave in waves}) >= 8, (word, voice)
            spectra = np.array(
                [
                    np.abs(np.fft.rfft(wave, 16384))[:4096].reshape(256, 16).mean(axis=1)
                    for wave in waves
                ]
            )
            spectra /= np.linalg.norm(spectra, axis=1, keepdims=True)
            likeness = spectra @ spectra.T - np.eye(len(waves))
            assert likeness.max() < 0.9999, (word, voice, likeness.max())


def test_the_prepared_piano_has_the_notes_of_its_midi_files(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSYNTH_CACHE", str(tmp_path))
    piano = load_clips("piano")
    assert (
        piano.states == 512
        and piano.manifest["counts"]["skipped"] == 0
        and load_clips("piano").folder == piano.folder
    )
    for piece in PIECES:
        flat = piano.rolls(np.flatnonzero(piano.group == piano.groups.index(piece))).reshape(-1, 89)
        expected = np.zeros(len(flat) + 1, int)
        for note in (
            n
            for i in pretty_midi.PrettyMIDI(str(DATA / "piano" / f"{piece}.mid")).instruments
            for n in i.notes
        ):
            state = int(note.start * 500 + 1e-6)
            assert state >= len(flat) or flat[state, note.pitch - 21] == note.velocity
            expected[min(state, len(flat))] += 1
        struck = (np.diff(flat[:, :88].astype(int), axis=0, prepend=0) > 0).sum(axis=1)
        assert np.array_equal(struck, expected[:-1]), piece


def test_the_piano_without_its_notes(tmp_path):
    cli.main(
        ["prepare", "piano", "--out", str(tmp_path / "with"), "--samples", "8192", "--rate", "8000"]
    )
    cli.main(
        [
            "prepare",
            "piano",
            "--out",
            str(tmp_path / "without"),
            "--samples",
            "8192",
            "--rate",
            "8000",
            "--states",
            "0",
        ]
    )
    noted, alone = Clips(tmp_path / "with"), Clips(tmp_path / "without")
    assert (
        noted.states == 512
        and noted.rolls([0]).any()
        and (tmp_path / "with" / "clips.npy").read_bytes()
        == (tmp_path / "without" / "clips.npy").read_bytes()
    )
    with pytest.raises(InputError, match="without notes"):
        alone.rolls([0])
    with pytest.raises(SystemExit):
        cli.main(["prepare", "digits", "--out", str(tmp_path / "no"), "--states", "4"])


def test_piano_splits_by_piece():
    assert {clip["group"]: clip["split"] for clip in clips("piano")} == {
        "prelude": "train",
        "scales": "train",
        "cadences": "train",
        "arpeggios": "validation",
        "minuet": "test",
    }
    assert 180 < sum(clip["samples"] for clip in clips("piano")) / 16000 < 360


def load(piece):
    wave, _ = soundfile.read(DATA / "piano" / f"{piece}.flac")
    midi = pretty_midi.PrettyMIDI(str(DATA / "piano" / f"{piece}.mid"))
    return wave, midi, np.sort([note.start for note in midi.instruments[0].notes])


@pytest.mark.parametrize("piece", PIECES)
def test_midi_and_sound_are_equally_long_and_the_pedal_moves(piece):
    wave, midi, _ = load(piece)
    assert abs(len(wave) / 16000 - midi.get_end_time()) < 0.001
    pedal = [change.value for change in midi.instruments[0].control_changes if change.number == 64]
    assert pedal.count(127) >= 24 and pedal.count(0) >= 24
    velocities = [note.velocity for note in midi.instruments[0].notes]
    assert len(set(velocities)) > 20 and min(velocities) > 0


def onset_lag_ms(wave, starts):
    """Where sudden rises of the spectrum (8 ms frames, every ms) agree best with the notes."""
    frames = np.lib.stride_tricks.sliding_window_view(wave, 128)[::16] * np.hanning(128)
    level = np.log(np.abs(np.fft.rfft(frames)) + 1e-5)
    rise = np.maximum(level[4:] - level[:-4], 0).sum(axis=1)
    centre_s = (16 * (np.arange(len(rise)) + 2) + 64) / 16000
    lags_ms = np.arange(-20, 21)
    return lags_ms[
        np.argmax([np.interp(starts + lag / 1000, centre_s, rise).mean() for lag in lags_ms])
    ]


@pytest.mark.parametrize("piece", PIECES)
def test_notes_are_where_the_sound_is_from_beginning_to_end(piece):
    wave, _, starts = load(piece)
    for begin in np.arange(0, starts[-1] - 10, 15):
        lag_ms = onset_lag_ms(wave, starts[(starts >= begin) & (starts < begin + 15)])
        assert abs(lag_ms) < 5, (piece, begin, lag_ms)
    assert abs(onset_lag_ms(np.roll(wave, 128), starts)) >= 5  # the measure sees a shift of 8 ms


def test_isolated_notes_within_5_ms():
    """Each of the 24 scales starts after a rest: its first attack, by its level against it."""
    wave, _, starts = load("scales")
    first = [starts[0]] + [s for before, s in zip(starts, starts[1:]) if s - before > 0.5]
    errors_ms = []
    for start in first:
        at = round(start * 16000)
        stretch = np.abs(wave[at - 320 : at + 640])
        floor, peak = stretch[:160].max(), stretch.max()
        errors_ms.append((np.flatnonzero(stretch > max(2 * floor, 0.05 * peak))[0] - 320) / 16)
    print(
        f"{len(first)} isolated attacks: {min(errors_ms):.2f} to {max(errors_ms):.2f} ms, "
        f"median {np.median(errors_ms):.2f}"
    )
    assert len(first) == 24 and max(np.abs(errors_ms)) < 5
