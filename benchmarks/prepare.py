# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""How fast recordings become clips, in ratios of one run: `make bench ONLY=prepare`.

It writes 1.4 GB to the temporary folder, and removes them.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from datetime import date
from pathlib import Path

import joblib
import librosa
import numpy as np
import soundfile

import audiosynth.data.sources  # noqa: F401, adds the row `folder`
from audiosynth.data.files import sha256_of
from audiosynth.data.prepare import SOURCES, prepare
from audiosynth.data.recordings import blocks

ROUNDS = 3
PEAK = """
import re, sys
import librosa
from audiosynth.data.recordings import blocks
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
def read(path):
    if sys.argv[1] == "librosa.load": librosa.load(path, sr=16000)
    else: sum(len(b) for b in blocks(path, rate=16000))
read(sys.argv[2]); before = peak(); read(sys.argv[3]); print(peak() - before)
"""


def write(path, seconds, rate=44100):
    "Stereo noise of 16 bits."
    noise = np.random.default_rng(0).integers(
        -9000, 9000, (int(min(seconds, 10) * rate), 2), dtype="int16"
    )
    with soundfile.SoundFile(path, "w", rate, 2) as file:
        for _ in range(0, max(1, int(seconds)), 10):
            file.write(noise)
    return path


def interleaved(before=lambda: None, **works):
    "The least `Seconds` of each, taken in turn."
    times = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            before()
            began = [clock() for clock in CLOCKS]
            work()
            times[name].append([clock() - then for clock, then in zip(CLOCKS, began)])
    return {name: Seconds(*np.min(t, axis=0)) for name, t in times.items()}


CLOCKS = time.perf_counter, time.process_time, time.thread_time
Seconds = namedtuple("Seconds", "clock cpu thread")  # thread: of the processor, main thread only


def resampling(place):
    path, short = write(place / "ten.wav", 600), write(place / "short.wav", 0.1)
    librosa.load(short, sr=16000), list(blocks(short, rate=16000))
    t = interleaved(
        blocks=lambda: sum(len(b) for b in blocks(path, rate=16000)),
        librosa=lambda: librosa.load(path, sr=16000),
    )
    peak = {
        name: float(
            subprocess.run(
                [sys.executable, "-c", PEAK, name, short, path],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for name in ("blocks", "librosa.load")
    }
    print(
        "\n| ten minutes of 44.1 kHz stereo to 16 kHz mono | audio seconds a second "
        "| a processor second | peak memory above that for 0.1 s |\n|---|---|---|---|"
    )
    ours, theirs = t["blocks"], t["librosa"]
    for name, seconds in (("blocks", ours), ("librosa.load", theirs)):
        speed = f"{600 / seconds.clock:,.0f} | {600 / seconds.cpu:,.0f}"
        print(f"| `{name}` | {speed} | {peak[name]:.0f} MB |")
    ratio = f"{theirs.clock / ours.clock:.1f} | {theirs.cpu / ours.cpu:.1f}"
    print(f"| ratio | {ratio} | |", flush=True)
    path.unlink()
    short.unlink()


def folder(place, hours=2, minutes=5):
    files, cores = hours * 60 // minutes, joblib.cpu_count()
    (place / "sound").mkdir()
    for k in range(files):
        write(place / "sound" / f"{k:02}.wav", minutes * 60)
    paths = sorted((place / "sound").iterdir())

    def made(workers):
        prepare("folder", place / "out", from_=place / "sound", workers=workers)

    def halves():
        plan = SOURCES["folder"]

        def first_half(*from_, **options):
            whole = plan(*from_, **options)

            def some(recordings):
                for i, recording in enumerate(recordings):
                    if i == files // 2:
                        raise KeyboardInterrupt
                    yield recording

            whole.recordings = some(whole.recordings)
            return whole

        SOURCES["folder"] = first_half
        try:
            made(1)
        except KeyboardInterrupt:
            pass
        finally:
            SOURCES["folder"] = plan
        made(1)

    t = interleaved(
        before=lambda: shutil.rmtree(place / "out", ignore_errors=True),
        read=lambda: [sum(len(b) for b in blocks(p, rate=16000)) for p in paths],
        check=lambda: [sha256_of(p) for p in paths],
        whole=lambda: made(1),
        halves=halves,
        cores=lambda: made(None),
    )
    disk = sum(p.stat().st_size for p in (place / "out").iterdir())
    print(
        f"\n| {hours} hours of 44.1 kHz stereo in {files} files | seconds | processor seconds "
        "| of the main thread |\n|---|---|---|---|"
    )
    for name, what in [
        ("read", "reading and resampling alone"),
        ("check", "the files' checksums alone"),
        ("whole", "`prepare folder`, one process"),
        ("halves", "the same, stopped half-way and finished"),
    ]:
        print(f"| {what} | {t[name].clock:.1f} | {t[name].cpu:.1f} | {t[name].thread:.1f} |")
    print(f"| `prepare folder`, {cores} processes | {t['cores'].clock:.1f} | | |")
    read, check, whole, halves = (t[name].cpu for name in ("read", "check", "whole", "halves"))
    print(
        f"\nOf the processor time of `prepare folder`, {read / whole:.0%} are reading and "
        f"resampling, {check / whole:.0%} checksums of what is read, "
        f"{1 - (read + check) / whole:.0%} all else; of the main thread's, which is what one waits "
        f"for where a second core is idle, {t['read'].thread / t['whole'].thread:.0%} are reading "
        f"and resampling. To be stopped half-way costs {halves / whole - 1:+.1%}. On the disk: "
        f"{disk / hours / 1e6:.0f} MB an hour."
    )
    on_paper(whole / hours, disk / hours)


def on_paper(cpu_s_an_hour, bytes_an_hour, hours=198.7):
    "What all of MAESTRO takes, if the disk keeps up and cores do not wait for each other."
    print(f"\n| MAESTRO, {hours:.0f} hours | time | reading, MB/s | disk |\n|---|---|---|---|")
    for cores in (2, 64):
        time_s = cpu_s_an_hour * hours / cores
        reading, disk = hours * 3600 * 176_400 / time_s / 1e6, bytes_an_hour * hours / 1e9
        print(f"| {cores} cores | {time_s / 60:.1f} minutes | {reading:,.0f} | {disk:.1f} GB |")


if __name__ == "__main__":
    place = Path(tempfile.mkdtemp())
    cpu = (
        re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        if os.path.exists("/proc/cpuinfo")
        else None
    )
    print(
        f"{cpu[1] if cpu else platform.processor()}, {joblib.cpu_count()} cores, "
        f"Python {platform.python_version()}, {date.today()}; "
        f"the best of {ROUNDS} rounds, taken in turn"
    )
    try:
        resampling(place)
        folder(place)
    finally:
        shutil.rmtree(place)
