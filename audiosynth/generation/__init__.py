# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"From a trained model to sound: latents, performances of a score, endless sound."
