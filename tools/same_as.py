# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Does this checkout compute what another one does, to the bit?

    git worktree add ../before COMMIT
    python tools/same_as.py ../before [--rows digit,stft_mag,wave_mag_midi] [--steps 6]

Both prepare a dataset, train the rows for a few updates and generate sounds, with the same seed.
The files of the dataset, the arrays of the last checkpoint and the samples of the sounds must be
equal. The status is 0 if they are.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

HERE = Path(__file__).resolve().parent.parent
OPTIONS = {"digit": "--width 8", "mel_midi": "--width 8"}  # others are thinner still
SIZE = "--width 2 --batch 4"


def audiosynth(checkout, *words):
    "The command of a checkout."
    environment = {**os.environ, "PYTHONPATH": str(checkout), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "audiosynth.cli", *map(str, words)]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{checkout}: {' '.join(command[2:])}\n{done.stderr[-2000:]}")


def made(checkout, folder, rows, steps):
    "Everything that a checkout makes, {name: array or bytes}."
    audiosynth(checkout, "prepare", "piano", "--out", folder / "piano")
    found = {
        f"prepare/{path.name}": path.read_bytes() for path in sorted((folder / "piano").iterdir())
    }
    for row in rows:
        data = folder / "piano" if row.endswith(("_midi", "_previous")) else "digits"
        run = folder / row
        options = [*OPTIONS.get(row, SIZE).split(), "--steps", steps, "--seed", 5]
        audiosynth(checkout, "train", row, "--data", data, "--out", run, *options)
        audiosynth(checkout, "generate", run, "--n", 4, "--seed", 1, "--out", run / "sounds-made")
        with np.load(run / "checkpoints" / f"step-{steps:08d}.npz") as file:
            arrays = {name: file[name] for name in file.files if name != "seconds"}
        found |= {f"{row}/{name}": array for name, array in arrays.items()}
        for path in sorted((run / "sounds-made").glob("*.wav")):
            found[f"{row}/{path.name}"] = soundfile.read(path, dtype="int16")[0]
    return found


def same(one, two):
    "Equal bytes, or equal arrays."
    return one == two if isinstance(one, bytes) else np.array_equal(one, two)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--rows", default="digit,stft_mag,wave_mag_midi")
    parser.add_argument("--steps", type=int, default=6)
    options = parser.parse_args()
    rows = options.rows.split(",")
    with tempfile.TemporaryDirectory() as folder:
        both = [
            made(checkout.resolve(), Path(folder) / name, rows, options.steps)
            for name, checkout in (("before", options.before), ("after", HERE))
        ]
    names = sorted({*both[0], *both[1]})
    different = [
        name
        for name in names
        if not all(name in b for b in both) or not same(*(b[name] for b in both))
    ]
    for row in ["prepare", *rows]:
        mine = [name for name in names if name.startswith(row + "/")]
        wrong = [name for name in mine if name in different]
        print(f"{row}: {len(mine) - len(wrong)} of {len(mine)} equal", *wrong[:5])
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
