# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Clips: short sounds of one length and rate, in a folder, from recordings of any kind."
