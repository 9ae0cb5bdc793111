# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"A short piece of tools/soak.py, which runs for as long as one likes."

import subprocess
import sys

from conftest import ROOT


def test_damaged_files_and_a_killed_command_break_no_rule():
    words = [sys.executable, "tools/soak.py", "--seed", "1", "--inputs", "500", "--kills", "1"]
    done = subprocess.run([*words, "--minutes", "4"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "500 inputs, 1 kills: 0 findings" in done.stdout
