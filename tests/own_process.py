# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""`@pytest.mark.own_process`: a test in a process forked from one that has the package loaded.

What TensorFlow keeps of every graph that it ever traced goes with that process. The fixtures of
the test are made there, once more.
"""

import gc
import json
import os
import sys
import tempfile
from pathlib import Path

import pytest

SECONDS = 600
INSIDE = "AUDIOSYNTH_OWN_PROCESS"  # set in the new process


class Reports:
    "Collects what happens to a test."

    def __init__(self):
        self.found = []

    def pytest_configure(self, config):
        self.hook = config.hook
        self.config = config

    def pytest_runtest_logreport(self, report):
        data = self.hook.pytest_report_to_serializable(config=self.config, report=report)
        self.found.append(data)


def run(test, folder):
    "In the new process."
    from chapters import redirect

    redirect({sys.stdout: folder / "said", sys.stderr: folder / "said"})
    os.chdir(Path(__file__).parent.parent)
    gc.freeze()  # what was loaded is not looked through again and again
    os.environ |= {INSIDE: "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # of xdist above all
    reports, options = Reports(), ["-p", "no:cacheprovider", "-o", "addopts="]
    pytest.main([test, *options], plugins=[reports])
    (folder / "reports").write_text(json.dumps(reports.found))


def reports_of(item):
    "What a test in a process of its own came to."
    from chapters import processes

    with tempfile.TemporaryDirectory() as folder:
        process = processes.Process(target=run, args=(item.nodeid, Path(folder)))
        process.start()
        process.join(SECONDS)
        process.kill()
        found = Path(folder, "reports")
        reports = json.loads(found.read_text()) if found.exists() else []
        said = Path(folder, "said")
        text = said.read_text(errors="replace")[-4000:] if said.exists() else ""
    from_data = item.config.hook.pytest_report_from_serializable
    reports = [from_data(config=item.config, data=data) for data in reports]
    if not any(report.when == "teardown" for report in reports):
        where, why = item.location, f"its process came to no end in {SECONDS} s, or died:\n{text}"
        reports = [pytest.TestReport(item.nodeid, where, {}, "failed", why, "call")]
    for report in reports:
        report.nodeid = item.nodeid
    return reports


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    "Runs the marked tests; the others run as ever."
    if INSIDE in os.environ or not item.get_closest_marker("own_process"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in reports_of(item):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    item.session._setupstate.teardown_exact(nextitem)  # of fixtures that a test before it made
    return True
