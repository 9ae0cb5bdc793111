# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
# ruff: noqa: E402, TensorFlow must be quiet before it is imported
"""Train rows of laptop size, one run after another, and keep what `evaluate` says of each.

`python tools/laptop_rows.py --data data/fsdd stft mdct` trains into runs/laptop/ROW and writes a
line of figures for each run into nbs/results/laptop_rows.json as it ends. The same command goes on
after a stop: trained runs are not trained again, and what is in the file is not scored again.
"""

import argparse
import json
from pathlib import Path

from audiosynth.cli import quiet_tensorflow

quiet_tensorflow()

from audiosynth.data.files import atomic_path
from audiosynth.evaluation.evaluate import CEILING, FIGURES, FLOOR, HALF, evaluate
from audiosynth.gan.rows import LAPTOP
from audiosynth.training.train import train

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "nbs" / "results" / "laptop_rows.json"
CLIPS = 400  # scored of each run


def figures(scored):
    "{figure: [value, low, high]}, rounded, and how many clips they are of."
    kept = {f: [round(v, 3) for v in scored["scores"][f]] for f in FIGURES if f in scored["scores"]}
    return {"n": scored["n"], "scores": kept}


def kept():
    "What is known so far."
    return json.loads(KEPT.read_text()) if KEPT.exists() else {"runs": {}}


def keep(known):
    with atomic_path(KEPT) as unfinished:
        unfinished.write_text(json.dumps(known, indent=1) + "\n")


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("rows", nargs="*", default=[*LAPTOP], help="default: all of laptop size")
    words.add_argument("--data", required=True, help="a prepared folder with labels")
    words.add_argument("--steps", type=int, default=1500, help="updates")
    words.add_argument("--seed", type=int, default=0)
    args = words.parse_args()
    for row in args.rows:
        name = row if args.seed == 0 else f"{row}-{args.seed}"
        run = ROOT / "runs" / "laptop" / name
        how = dict(steps=args.steps, seed=args.seed, size="laptop", quiet=True)
        model = train(row, args.data, run, **how)
        if kept()["runs"].get(name, {}).get("weights") == model.hash:
            print(f"{name}: was scored")
            continue
        scores = evaluate([run], args.data, run / "scores", n=CLIPS, quiet=True)
        found, known = scores["rows"], kept()  # another of these may have written meanwhile
        about = dict(row=row, seed=args.seed, updates=model.metadata["step"], weights=model.hash)
        about["minutes"] = round(model.metadata["seconds"] / 60, 1)  # by the clock
        known["runs"][name] = about | figures(found[name])
        known["judge"], known["data"] = scores["classifier"], scores["data"]
        known["references"] = {each: figures(found[each]) for each in (CEILING, HALF, FLOOR)}
        keep(known)
        print(f"{name}: {known['runs'][name]}")


if __name__ == "__main__":
    main()
