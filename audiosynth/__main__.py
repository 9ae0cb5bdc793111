# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"`python -m audiosynth` is the command `audiosynth`."

from audiosynth.cli import main

if __name__ == "__main__":
    main()
