# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
# ruff: noqa: E402, TensorFlow must be quiet before it is imported
"""Train `digit` on the embedded clips and leave a page of sounds: what `make demo` does."""

import argparse
import sys
import time
from pathlib import Path

from audiosynth.cli import quiet_tensorflow

quiet_tensorflow()

from audiosynth.data.clips import pcm16
from audiosynth.data.recordings import write_wav
from audiosynth.data.sources import load_clips
from audiosynth.evaluation.recogniser import recognise, vocabulary
from audiosynth.gan.trained_model import load_model
from audiosynth.listen import page
from audiosynth.training.runs import Run, model_at, read_arrays
from audiosynth.training.train import train

REAL, GENERATED = 3, 5  # clips of each digit on the page


def heard(clips, sounds):
    "Captions that say what a recogniser understands, and how often it is the word: a sentence."
    words = vocabulary(clips.labels)
    if not words:
        return {key: [f"{key[1]} {i + 1}" for i in range(len(w))] for key, w in sounds.items()}, ""
    captions, right = {}, {}
    for (digit, kind), waves in sounds.items():
        said = recognise(waves, words, rate=clips.rate)
        word = words[clips.labels.index(digit)]
        captions[digit, kind] = [f"{kind} {i + 1}: “{w or '–'}”" for i, w in enumerate(said)]
        right.setdefault(kind, []).extend(w == word for w in said)
    shares = " and ".join(f"{sum(r)} of {len(r)} {kind} clips" for kind, r in right.items())
    return captions, (
        "Under each player stands what PocketSphinx understands, a recogniser made elsewhere, "
        f"which knows that it is one of the ten words: the right one in {shares}. "
    )


def ready_word(folder, digit="seven"):
    "A word of the ready model, before anything is trained: it is written, and its path printed."
    model, path = load_model("digit"), folder / f"ready-{digit}.wav"
    wave = model.generate(1, seed=1, label=digit)[0]
    folder.mkdir(parents=True, exist_ok=True)
    write_wav(path, pcm16(wave), rate=model.rate)
    print(f"{path}: “{digit}”, from the model that comes with the package", flush=True)
    text = "A word of the model that comes with the package, as it was before this training."
    return "The ready model", text, [(digit, [(path.name, wave)])]


def main():
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    words.add_argument("--minutes", type=float, default=4.5, help="of training")
    words.add_argument("--out", type=Path, default=Path("demo"), help="folder")
    args = words.parse_args()
    ready = ready_word(args.out)
    began, clips, run = time.monotonic(), load_clips("digits"), args.out / "run"
    print(
        f"training on {len(clips.where('train'))} spoken digits for {args.minutes:g} minutes",
        flush=True,
    )
    model = train(
        "digit",
        "digits",
        run,
        minutes=args.minutes,
        save_minutes=args.minutes / 10,
        save_every=10**9,
    )

    sounds = {}
    for digit in clips.labels:
        sounds[digit, "generated"] = model.generate(GENERATED, seed=1, label=digit)
        sounds[digit, "real"] = clips.waves(clips.where("test", digit)[:REAL])
    captions, understood = heard(clips, sounds)
    print(understood.strip())
    beside = [
        (
            digit,
            [p for k in ("generated", "real") for p in zip(captions[digit, k], sounds[digit, k])],
        )
        for digit in clips.labels
    ]
    better = []
    for step in Run(run).checkpoints():
        minutes = read_arrays(Run(run).checkpoint(step))[1] / 60
        better.append(
            (
                f"{minutes:.1f} min, {step:,} updates",
                list(zip(clips.labels, model_at(run, step).generate(len(clips.labels), seed=1))),
            )
        )
    page(
        args.out / "index.html",
        "Digits that a GAN made",
        [
            ready,
            (
                "Generated, and real",
                f"The generator learned for {model.metadata['seconds'] / 60:.1f} minutes on "
                f"this machine, from {len(clips.where('train'))} clips of four "
                "synthetic voices; the real clips are of renderings that it was not trained on. "
                f"{understood}"
                f"To hear more: audiosynth generate {run} --label seven",
                beside,
            ),
            ("Minute by minute", "The same random numbers at every checkpoint.", better),
        ],
        rate=model.rate,
    )
    print(f"{(time.monotonic() - began) / 60:.1f} minutes in all; open {args.out / 'index.html'}")
    print(f"to hear more: .venv/bin/audiosynth generate {run} --label seven")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; make demo goes on from here")
