# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
# ruff: noqa: E402, TensorFlow must be quiet before it is imported
"""Train a ready model, thin it to 16 bits, score it, and write its card.

It trains into runs/ready_NAME and goes on from there if it was stopped. Every figure in the card
comes from here: the score is of the thinned model, as it stands in the package.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

from audiosynth.cli import quiet_tensorflow

quiet_tensorflow()

import numpy as np

from audiosynth.evaluation.evaluate import CEILING, FIGURES, cannot_tell, evaluate
from audiosynth.gan.trained_model import READY, load_model, thin
from audiosynth.training.train import train


class Recipe(NamedTuple):
    "How a ready model is made, and what its card says of it."

    row: str
    data: str
    steps: int  # updates
    does: str
    voices: str  # whose sound it was trained on
    not_for: str


RECIPES = {
    "digit": Recipe(
        "digit",
        "digits",
        6000,
        "says the ten English digits, one second each",
        "four synthetic voices of flite (slt, rms, awb and kal16)",
        "It says ten words in the manner of four synthetic voices, and nothing else. It is no "
        "voice of a person and no text-to-speech system; do not present it as either. To judge a "
        "recogniser or to augment its training data, use recordings of people.",
    ),
    "piano": Recipe(
        "mel_midi",
        "piano",
        1500,
        "plays the notes of a MIDI file, one second at a time; without one, notes of its own",
        "exercises and pieces played by a program on the piano of FluidR3 GM",
        "It was trained for minutes on a few minutes of one sampled piano, and its notes score far "
        "below those of the recordings. It is no instrument to record with.",
    ),
}
SEED, CLIPS = 0, 300  # of training and scores; clips that are scored
LICENCE = "Apache-2.0; notices of the voices and the sound font: audiosynth/embedded/NOTICE.md"


def rounding_db(model, thinned, n=100):
    "Power of the generator's output over that of its change by rounding, in the representation."
    latent = model.generator.inputs[0].shape[-1]
    z = np.random.default_rng(SEED).uniform(-1, 1, (n, latent)).astype("float32")
    x, y = (np.asarray(m.generator(m.inputs(z), training=False)) for m in (model, thinned))
    return 10 * np.log10((x**2).sum() / ((x - y) ** 2).sum())


def rows(facts):
    "The rows of a table in Markdown."
    return "\n".join("| " + " | ".join(fact) + " |" for fact in facts)


def figures(scores, real):
    "A row of the card for each figure: of the model, and of test clips."
    for name, (title, better, digits) in FIGURES.items():
        if better and name in scores and not (name == "copies" and cannot_tell(scores)):
            cells = [
                "{:.{d}f} ({:.{d}f}–{:.{d}f})".format(*s[name], d=digits) if name in s else "–"
                for s in (scores, real)
            ]
            yield title, *cells, {"high": "higher", "low": "lower", "one": "1"}[better]


def card(name, recipe, model, scores, notes):
    "The text of the card."
    size = sum(path.stat().st_size for path in (READY / name).iterdir() if path.suffix != ".md")
    facts = [
        ("does", recipe.does),
        ("trained on", f"the training clips of `{recipe.data}`: {recipe.voices}"),
        ("licence", LICENCE),
        ("size", f"{size / 1e6:.2f} MB"),
        ("row", f"`{recipe.row}`, {model.metadata['step']:,} updates, seed {SEED}"),
        ("machine time", f"{model.metadata['seconds'] / 60:.1f} minutes by the clock"),
        ("command", f"`python tools/make_models.py {name}`"),
        ("weights", f"{load_model(READY / name).hash}"),
        ("16 bits", f"{rounding_db(model, load_model(READY / name)):.0f} dB below the output"),
    ]
    made, real = scores[name], scores[CEILING]
    found = figures(made["scores"], real["scores"])
    return f"""# {name}

A trained model that comes with audiosynth: `load_model("{name}")`, `audiosynth generate {name}`.

| fact | value |
| --- | --- |
{rows(facts)}

"16 bits" is the change in the generator's output, in its representation, by rounding the weights.

## Figures

Of {made["n"]} clips, and of the {real["n"]} clips of the test split, which it never saw;
in brackets the 95 % interval over clips.

One training, one seed: how much another would differ is not measured. What `evaluate` said:

{"".join(f"- {line.strip()}" + chr(10) for note in notes for line in note.splitlines())}
| figure | this model | real clips | better |
| --- | --- | --- | --- |
{rows(found)}

## Not for

{recipe.not_for}
"""


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("name", choices=RECIPES)
    name = words.parse_args().name
    recipe, run = RECIPES[name], Path("runs") / f"ready_{name}"
    model = train(recipe.row, recipe.data, run, steps=recipe.steps, seed=SEED)
    model.save(READY / name)
    thin(READY / name)
    notes, how = [], dict(n=CLIPS, opinions=0, seed=SEED)
    scores = evaluate([READY / name], recipe.data, run / "scores", say=notes.append, **how)
    text = card(name, recipe, model, scores["rows"], notes)
    (READY / name / "README.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
