# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The command line in a process of its own, forked from one that has the package loaded."

import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from chapters import processes, redirect


def run(words, out, error):
    "In the new process."
    redirect({sys.stdout: out, sys.stderr: error})
    from audiosynth.cli import main

    main(words)


def audiosynth(*words, ok=True, seconds=300):
    "Run the command: its status, what it printed and its complaints, as `subprocess.run` has them."
    with tempfile.TemporaryDirectory() as folder:
        out, error = (Path(folder, name) for name in ("out", "error"))
        process = processes.Process(target=run, args=([*map(str, words)], out, error))
        process.start()
        process.join(seconds)
        status = process.exitcode
        process.kill()
        said = [path.read_text(errors="replace") if path.exists() else "" for path in (out, error)]
    assert status is not None, f"{words} was not done after {seconds} seconds"
    assert not ok or status == 0, said[1]
    return SimpleNamespace(returncode=status, stdout=said[0], stderr=said[1])
