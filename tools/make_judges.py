# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
# ruff: noqa: E402, TensorFlow must be quiet before it is imported
"""Train the classifiers of the embedded clips, with weights of 16 bits, into the package.

Needed when the clips or `RECIPE` change. The scores of all who use the package come from these.
"""

import shutil

from audiosynth.cli import quiet_tensorflow

quiet_tensorflow()

from audiosynth.data.sources import EMBEDDED, load_clips
from audiosynth.evaluation.classifier import JUDGES, UPDATES, kept_name, train_classifier
from audiosynth.gan.trained_model import save_thin

SEED = 0


def main():
    shutil.rmtree(JUDGES, ignore_errors=True)
    for name in EMBEDDED:
        clips = load_clips(name)
        classifier = train_classifier(clips, seed=SEED)
        folder = JUDGES / kept_name(clips, UPDATES, SEED)
        network = classifier.model
        network.set_weights([w.astype("float16").astype("float32") for w in network.get_weights()])
        classifier.save(folder)  # its hash is of the rounded weights
        save_thin(network, folder / "network.keras")
        print(classifier, folder.name)


if __name__ == "__main__":
    main()
