# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Reading and training take the same memory from a large dataset as from a small one."""

import json
import subprocess
import sys

import numpy as np
import pytest

from audiosynth.data.clips import INDEX, KEYS

SAMPLES, STATES = 16384, 512
READ = """
import re, sys
from audiosynth.data.clips import Clips
batches = Clips(sys.argv[1]).batches(64)
for _ in range(200): assert next(batches)["wave"].shape == (64, 16384)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
TRAIN = """
import re, sys
from audiosynth.training.train import train
train("wave", sys.argv[1], sys.argv[1] + "-run", steps=15, width=1, quiet=True)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
NOTES = TRAIN.replace('train("wave", ', 'train("wave", condition="midi", batch=16, data=').replace(
    'sys.argv[1] + "-run"', 'out=sys.argv[1] + "-run"'
)


def dataset(folder, n):
    "A dataset of `n` clips; `clips.npy` is a sparse file, whose pages count once they are read."
    folder.mkdir()
    np.lib.format.open_memmap(folder / "clips.npy", "w+", dtype="<i2", shape=(n, SAMPLES)).flush()
    np.lib.format.open_memmap(
        folder / "roll.npy", "w+", dtype="u1", shape=(n, STATES, KEYS)
    ).flush()
    index = {name: np.zeros(n, "int64") for name in INDEX}
    np.savez(folder / "index.npz", **(index | {"label": np.full(n, -1)}))
    manifest = dict(
        format=1,
        rate=16000,
        samples=SAMPLES,
        labels=[],
        groups=["silence"],
        states=STATES,
        source="silence",
        licence="none",
    )
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def peak_mb(folder, program):
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]) / 1024


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    "program, most_mb",
    [(READ, 30), (TRAIN, 80), (NOTES, 80)],
    ids=["reading", "training on 4,800 of them", "and on notes"],
)
def test_20000_clips_need_no_more_memory_than_200(program, most_mb, tmp_path):
    small, large = (
        peak_mb(dataset(tmp_path / "small", 200), program),
        peak_mb(dataset(tmp_path / "large", 20_000), program),
    )
    print(f"peak resident memory: 200 clips {small:.0f} MB, 20,000 clips {large:.0f} MB")
    assert large - small < most_mb, (
        small,
        large,
    )  # a map kept open would hold what was read: 150 MB and more
