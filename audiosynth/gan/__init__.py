# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Adversarial training: losses, augmentation, the model, the table of experiments."


def __getattr__(name):
    "The import of a name of 0.1.0, when this part was a module, says where the name is now."
    from audiosynth._moved import missing

    raise missing(__name__, name)
