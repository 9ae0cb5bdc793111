# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The command `audiosynth`, which is also `python -m audiosynth`."

import sys


def main():
    "Run the command. Ctrl-C while it is being imported ends it as it does later."
    try:
        from audiosynth.cli import main as command
    except KeyboardInterrupt:
        print("audiosynth: stopped", file=sys.stderr)
        sys.exit(130)
    command()


if __name__ == "__main__":
    main()
