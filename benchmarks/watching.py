# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""What it costs to watch a training, as a share of the time of an update.

python benchmarks/watching.py [--width 64] [--updates 12]

WaveGAN is trained on the embedded digits. Every call of the callbacks is timed: the log with its
TensorBoard events and the doctor after each update, and at a checkpoint the sounds and the
doctor's listening. A run keeps a checkpoint every few minutes (`save_minutes` of `train`), so
what is done there is set against that time. The doctor's memory is full from the start, as in a
long run."""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def timed(kind, name, spent):
    "Have a method of a class keep account of its seconds."
    plain = getattr(kind, name)

    def method(*args, **kwargs):
        began = time.perf_counter()
        try:
            return plain(*args, **kwargs)
        finally:
            spent.setdefault(f"{kind.__name__}.{name}", []).append(time.perf_counter() - began)

    setattr(kind, name, method)


def long_memory(doctor, memory):
    "A doctor that remembers as many lines as it can, made from the first."
    plain = doctor.on_train_batch_end

    def after(self, batch, logs=None):
        plain(self, batch, logs)
        if len(self.lines) == 1:
            self.lines.extend({**self.lines[0], "step": step} for step in range(2, memory + 1))

    doctor.on_train_batch_end = after


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--width",
        type=int,
        default=64,
        help="channels of the thinnest layer; the paper's is %(default)s",
    )
    parser.add_argument(
        "--batch", type=int, default=16, help="clips in an update (default: %(default)s)"
    )
    parser.add_argument("--updates", type=int, default=12, help="default: %(default)s")
    args = parser.parse_args()
    import keras

    from audiosynth.training import doctor
    from audiosynth.training import train as training

    spent, ends = {}, []
    long_memory(doctor.Doctor, doctor.MEMORY)
    doctor.EVERY = training.LOGGED = (
        1  # at every update, so that all of it is seen; divided again below
    )
    every = {"Doctor.on_train_batch_end": 10, "Log.on_train_batch_end": 10}
    for kind, name in (
        (doctor.Doctor, "on_train_batch_end"),
        (training.Log, "on_train_batch_end"),
        (training.Checkpointer, "audition"),
        (doctor.Doctor, "hear"),
    ):
        timed(kind, name, spent)
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs=None: ends.append(-time.perf_counter()),
        on_train_batch_end=lambda batch, logs=None: ends.append(time.perf_counter()),
    )
    with tempfile.TemporaryDirectory() as place:
        training.train(
            "wave",
            "digits",
            Path(place) / "run",
            steps=args.updates,
            width=args.width,
            batch=args.batch,
            save_every=args.updates // 2,
            callbacks=[clock],
            quiet=True,
        )
    update = statistics.median(
        a + b for a, b in zip(ends[2::2], ends[3::2])
    )  # without the first, which compiles
    print(f"an update of WaveGAN, width {args.width}, batch {args.batch}: {update:.2f} s")
    total = 0.0
    for name, seconds in spent.items():
        seconds, per = (
            statistics.median(seconds[1:] or seconds),
            f"every {every[name]} updates" if name in every else "a checkpoint, every 300 s",
        )
        share = seconds / (every[name] * update if name in every else 300)
        total += share
        print(f"{name:<28}{1000 * seconds:10.1f} ms {per:<28}{share:8.3%}")
    print(f"{'together':<28}{'':41}{total:8.3%}")


if __name__ == "__main__":
    main()
