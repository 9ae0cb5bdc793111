# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Generate audio with GANs, in the representation of sound that you choose.

audio file → clips → representation → GAN → waveform → evaluation: each arrow is a function,
and each name below is explained in a chapter of the book. Five lines of use:

    import audiosynth

    clips = audiosynth.load_clips("digits")  # spoken digits that ship with the package
    model = audiosynth.train("digit", "digits", "runs/digit", minutes=10)
    waves = model.generate(8, seed=1, label="seven")  # (8, samples) float32, −1..1
    audiosynth.player(waves[0], rate=model.rate)  # in a notebook: play it
    scores = audiosynth.evaluate(["runs/digit"], "digits", "scores")

The same from a shell: `audiosynth --help`, or `python -m audiosynth --help`. Importing this module
is quick: a name is looked up, and TensorFlow imported, when the name is first used.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Clips",
    "GAN",
    "InputError",
    "NETWORKS",
    "OBJECTIVES",
    "REPRESENTATIONS",
    "ROWS",
    "Representation",
    "TrainedModel",
    "__version__",
    "evaluate",
    "load_clips",
    "load_model",
    "player",
    "players",
    "prepare",
    "study",
    "train",
]

if TYPE_CHECKING:  # what editors and type checkers read; `_HOME` says the same to Python
    from audiosynth.data.clips import Clips
    from audiosynth.data.files import InputError
    from audiosynth.data.prepare import prepare
    from audiosynth.data.sources import load_clips
    from audiosynth.evaluation.evaluate import evaluate
    from audiosynth.evaluation.study import study
    from audiosynth.gan.losses import OBJECTIVES
    from audiosynth.gan.model import GAN
    from audiosynth.gan.rows import ROWS
    from audiosynth.gan.trained_model import TrainedModel, load_model
    from audiosynth.listen import player, players
    from audiosynth.networks.registry import NETWORKS
    from audiosynth.representations.base import Representation
    from audiosynth.representations.registry import REPRESENTATIONS
    from audiosynth.training.train import train

_HOME = {
    "Clips": "data.clips",
    "GAN": "gan.model",
    "InputError": "data.files",
    "NETWORKS": "networks.registry",
    "OBJECTIVES": "gan.losses",
    "REPRESENTATIONS": "representations.registry",
    "ROWS": "gan.rows",
    "Representation": "representations.base",
    "TrainedModel": "gan.trained_model",
    "evaluate": "evaluation.evaluate",
    "load_clips": "data.sources",
    "load_model": "gan.trained_model",
    "player": "listen",
    "players": "listen",
    "prepare": "data.prepare",
    "study": "evaluation.study",
    "train": "training.train",
}


def __getattr__(name):
    "Import a public name when it is first used (PEP 562)."
    if name not in _HOME:
        raise AttributeError(f"module 'audiosynth' has no attribute {name!r}")
    if "keras" not in sys.modules:  # whatever other projects have set
        os.environ["KERAS_BACKEND"] = "tensorflow"
    if name == "prepare":  # it reads a table of sources that this module fills
        import_module("audiosynth.data.sources")
    value = getattr(import_module(f"audiosynth.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)


class _Moved:
    "The last finder that Python asks for a module: it says where a module of 0.1.0 is now."

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        package, _, module = fullname.rpartition(".")
        if package == "audiosynth":
            from audiosynth._moved import MODULES, module_message

            if module in MODULES:
                raise ImportError(module_message(module), name=fullname)


sys.meta_path.append(_Moved)
