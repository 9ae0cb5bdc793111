# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Reading batches takes the same memory from a large dataset as from a small one."""
import json
import subprocess
import sys

import numpy as np
import pytest

from audiosynth.datasets import INDEX

SAMPLES = 16384
READ = """
import re, sys
from audiosynth.datasets import Clips
batches = Clips(sys.argv[1]).batches(64)
for _ in range(200): assert next(batches)["wave"].shape == (64, 16384)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def dataset(folder, n):
    """A dataset of `n` clips; `clips.npy` is a sparse file, whose pages count as any other's once they are read."""
    folder.mkdir()
    np.lib.format.open_memmap(folder / "clips.npy", "w+", dtype="<i2", shape=(n, SAMPLES)).flush()
    np.savez(folder / "index.npz", **{name: np.zeros(n, "int64") for name in INDEX})
    manifest = dict(format=1, rate=16000, samples=SAMPLES, labels=[], groups=["silence"])
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def peak_mb(folder):
    done = subprocess.run([sys.executable, "-c", READ, str(folder)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / 1024


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_20000_clips_need_no_more_memory_than_200(tmp_path):
    small, large = peak_mb(dataset(tmp_path / "small", 200)), peak_mb(dataset(tmp_path / "large", 20_000))
    print(f"peak resident memory: 200 clips {small:.0f} MB, 20,000 clips {large:.0f} MB")
    assert large - small < 30, (small, large)  # the bound asked for is 300 MB
