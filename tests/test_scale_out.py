# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Several workers make of a batch what one makes of it; one of them killed, the others stop, and all go on."""
import csv
import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from audiosynth.datasets import InputError
from audiosynth.experiments import load_model
from audiosynth.runs import Run, stored
from audiosynth.scale_out import Team, parts_of, team_for
from audiosynth.sources import load_clips
from audiosynth.training import train

WORKER = """
import sys
import numpy as np
from audiosynth.cli import fail
from audiosynth.datasets import InputError
from audiosynth import runs, training
row, data, out, steps, kept, batch = sys.argv[1:]
class Weights(training.keras.callbacks.Callback):
    "What this worker ends with."
    def on_train_end(self, logs=None):
        np.savez(kept, **{name: training.held(v) for name, v in runs.parts(self.model).items()})
try: training.train(row, data, out, steps=int(steps), width=2, batch=int(batch), save_every=2, quiet=True, strategy="workers", callbacks=[Weights()])
except InputError as error: fail(error)
"""
LIMIT = 240  # s


def ports(n):
    "Free ones."
    taken = [socket.socket() for _ in range(n)]
    for s in taken: s.bind(("127.0.0.1", 0))
    found = [s.getsockname()[1] for s in taken]
    for s in taken: s.close()
    return found


def start(row, data, out, kept, *, steps, batch=4):
    "Two workers on this machine; their processes."
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports(2)]}
    def one(i):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}})}
        log = open(kept.with_name(f"worker{i}.log"), "a")
        return subprocess.Popen([sys.executable, "-c", WORKER, row, str(data), str(out), str(steps), f"{kept}{i}.npz", str(batch)], env=environment, stdout=log, stderr=log)
    return [one(i) for i in range(2)]


def ended(workers, seconds=LIMIT):
    "Their exit statuses; none outlives the test."
    try:
        deadline = time.monotonic() + seconds
        return [worker.wait(max(1, deadline - time.monotonic())) for worker in workers]
    finally:
        for worker in workers: worker.kill()
