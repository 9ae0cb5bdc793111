# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The command line, or a part of a test, in a process forked from one that has the package loaded."

import gc
import sys
import tempfile
import traceback
from pathlib import Path
from types import SimpleNamespace

from chapters import processes, redirect


def run(words, out, error):
    "In the new process."
    gc.freeze()
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


def call(work, args, out):
    "In the new process: what goes wrong is in the file `out`."
    gc.freeze()
    try:
        work(*args)
    except BaseException:
        out.write_text(traceback.format_exc())
        raise


def in_process(work, *args, seconds=300):
    "Call `work` in a process of its own, whose memory goes back to the system at its end."
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        process = processes.Process(target=call, args=(work, args, out))
        process.start()
        process.join(seconds)
        status = process.exitcode
        process.kill()
        said = out.read_text() if out.exists() else f"ended with {status} after {seconds} s or less"
    assert status == 0, said
