# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The chapters of generation run from top to bottom."

from chapters import check, of_parts


@of_parts("generation")
def test_notebook_runs(path, tmp_path):
    check(path, tmp_path)
