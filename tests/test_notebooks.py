# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Every notebook runs from top to bottom, each in a process of its own."
import os
import subprocess
import sys

import pytest
from conftest import ROOT

NOTEBOOKS = sorted(path for path in (ROOT/"nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
RUN = """
import sys
from pathlib import Path
from nbdev.test import test_nb
sys.exit(not test_nb(Path(sys.argv[1]), basepath=sys.argv[2])[0])
"""  # called as a command, `nbdev_test` would not see its arguments here and would run every notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.relative_to(ROOT/"nbs").with_suffix("").as_posix())
def test_notebook_runs(path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    run = subprocess.run([sys.executable, "-c", RUN, str(path), str(ROOT)], cwd=ROOT,
                         env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
    if run.returncode: pytest.fail(f"{path.relative_to(ROOT)} failed:\n{run.stdout[-8000:]}", pytrace=False)
