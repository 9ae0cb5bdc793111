# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""How fast a row trains and generates beside other ways to compute the same, in one run.

python benchmarks/networks.py [--rounds 3] [--out benchmarks/networks.json]

Every round takes each way once, in turn, so that whatever else the machine does slows all of them;
ratios are of medians. An update is 5 of each critic and 1 of the generator. What is measured is
written to the file as it goes, which nbs/results/speed.ipynb reads.

  ours    audiosynth's trainer
  stock   the same trainer with Keras's own convolutions and Adam, under `tf.function`
  eager   as this was done before: op by op, time on the first axis of a 2-D convolution, every
          critic's gradient and the generator's recorded in every update, and the penalty in both;
          written afresh
  torch   PyTorch's layers, the same mathematics (`wave` only); another interpreter may be named,
          --torch PATH, where it is not installed beside TensorFlow

Peak memory is of a process of its own for each way, at batch 64."""

import argparse
import json
import math
import os
import re
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
WAVE_LAYERS, SPECTRAL = (1, 1, 2, 4, 8, 16), ("log_mag", "wave_mag")
ROWS, WAYS = ("wave", *SPECTRAL), ("ours", "stock", "eager", "torch")


def timed(work):
    "Seconds by the clock and of the processor."
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - cpu


def serve(work, **about):
    "A way's process: builds and warms up, then does `work` once for each line it is sent."
    first = timed(work)
    print(json.dumps({**about, "first_s": first[0], "memory_mb": peak_mb()}), flush=True)
    for _ in sys.stdin:
        took = timed(work)
        print(
            json.dumps({"clock_s": took[0], "cpu_s": took[1], "memory_mb": peak_mb()}), flush=True
        )


def peak_mb():
    """The most memory that this process had.

    By Linux's own count: that of `getrusage` begins with the memory of the process that started
    this one."""
    try:
        return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
    except (OSError, TypeError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            1024 if sys.platform != "darwin" else 1024**2
        )


# -- PyTorch: needs nothing else of this file, so that another interpreter can run it


def torch_update(batch, width, samples=2**14, steps=5):
    "WaveGAN's update in PyTorch."
    import torch
    from torch import nn

    torch.manual_seed(0)
    start, sizes = samples // 4**5, [width * k for k in WAVE_LAYERS[1:]]

    class Generator(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(64, start * sizes[-1])
            outs = [*sizes[-2::-1], 1]
            self.layers = nn.ModuleList(
                nn.ConvTranspose1d(i, o, 36, 4, padding=16) for i, o in zip(sizes[::-1], outs)
            )

        def forward(self, z):
            h = torch.relu(self.first(z)).view(len(z), sizes[-1], start)
            for k, layer in enumerate(self.layers):
                h = torch.tanh(layer(h)) if k == 4 else torch.relu(layer(h))
            return h

    class Critic(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(
                nn.Conv1d(i, o, 36, 4, padding=16) for i, o in zip([1, *sizes], sizes)
            )
            self.last = nn.Linear(start * sizes[-1], 1)

        def forward(self, h):
            for layer in self.layers:
                h = nn.functional.leaky_relu(layer(h), 0.2)
            return self.last(h.flatten(1))

    g, c = Generator(), Critic()
    adams = [torch.optim.Adam(m.parameters(), 1e-4, (0.5, 0.9), 1e-8, fused=True) for m in (g, c)]
    real = torch.rand(steps, batch, 1, samples) * 2 - 1

    def noise():
        return torch.rand(batch, 64) * 2 - 1

    def update():
        for x in real:
            with torch.no_grad():
                fake = g(noise())
            interpolate = (x + torch.rand(batch, 1, 1) * (fake - x)).requires_grad_()
            (slope,) = torch.autograd.grad(c(interpolate).sum(), interpolate, create_graph=True)
            loss = (
                c(fake).mean()
                - c(x).mean()
                + 10 * ((slope.square().sum((1, 2)) + 1e-12).sqrt() - 1).square().mean()
            )
            adams[1].zero_grad()
            loss.backward(inputs=list(c.parameters()))
            adams[1].step()
        adams[0].zero_grad()
        (-c(g(noise())).mean()).backward(inputs=list(g.parameters()))
        adams[0].step()
        return float(loss.detach())

    return update, torch.__version__


# -- TensorFlow


def made(row, batch, width, samples, stock):
    "A row's GAN on made-up clips, and one element of its data."
    import keras
    import numpy as np
    import tensorflow as tf

    from audiosynth.gan import experiment
    from audiosynth.gan.losses import OBJECTIVES
    from audiosynth.gan.rows import select_row
    from audiosynth.networks import specgan, wavegan

    if stock:
        for name in ("Conv1D", "Conv2D", "Conv1DTranspose", "Conv2DTranspose"):
            module = wavegan if "1D" in name else specgan
            setattr(module, name, getattr(keras.layers, name))
        experiment.Adam = keras.optimizers.Adam
    tf.config.optimizer.set_experimental_options({"remapping": False})  # as `train` does
    rng = np.random.default_rng(0)

    class Noise:  # clips enough for a representation to be fitted
        rate, labels, states, folder = 16000, [], 0, "noise"

        def __init__(self):
            self.samples = samples

        def where(self, split):
            return np.arange(32)

        def waves(self, rows):
            return rng.uniform(-1, 1, (len(rows), samples)).astype("float32")

    row, clips = select_row(row, width=width, batch=batch), Noise()
    gan = experiment.Experiment("", row, clips).fit().build()
    return gan, {
        "wave": tf.constant(clips.waves(range(batch * OBJECTIVES[row.objective].critic_steps)))
    }


def traced_update(*sizes, stock):
    import tensorflow as tf

    gan, data = made(*sizes, stock)
    step = tf.function(gan.train_step, autograph=False)
    return lambda: step(data)["generator_loss"].numpy()


def tall(network):
    "The same network with time on the first axis of 2-D convolutions, as in the prior art."
    import keras
    from keras import layers

    def clone(layer):
        rank = getattr(layer, "rank", None)
        kind = {"Conv1D": "Conv2D", "Conv1DTranspose": "Conv2DTranspose"}.get(
            type(layer).__name__, type(layer).__name__
        )
        config = layer.get_config()
        if not kind.startswith("Conv"):
            return layer.__class__.from_config(config)
        config["dtype"] = "float32"
        if rank == 2:
            return getattr(layers, kind).from_config(config)

        class Tall(getattr(layers, kind)):
            def call(self, x):
                return super().call(x[:, :, None])[:, :, 0]

            def build(self, shape):
                super().build((shape[0], shape[1], 1, shape[2]))

            def compute_output_shape(self, shape):
                batch, steps, _, channels = super().compute_output_shape(
                    (shape[0], shape[1], 1, shape[2])
                )
                return batch, steps, channels

        for name, second in (("kernel_size", 1), ("strides", 1), ("dilation_rate", 1)):
            config[name] = (*config[name], second)
        layer = Tall.from_config(config)
        layer.input_spec = None
        build = layer.build

        def without_rank(shape):
            build(shape)
            layer.input_spec = None

        layer.build = without_rank
        return layer

    return keras.models.clone_model(network, clone_function=clone)


def eager_update(row, batch, width, samples):
    "Op by op, and with all that an update does not need."
    import keras
    import tensorflow as tf

    from audiosynth.gan.losses import gradient_penalty, interpolate
    from audiosynth.representations.registry import convert

    gan, data = made(row, batch, width, samples, True)
    g, critics, representation = (
        tall(gan.generator),
        [tall(c) for c in gan.critics],
        gan.representation,
    )

    def adam():
        return keras.optimizers.Adam(1e-4, 0.5, 0.9, epsilon=1e-8)

    g_adam, adams = adam(), [adam() for _ in critics]

    def losses(waves, fake):
        "Each critic's loss with its penalty, and the generator's."
        critic_losses, generator_loss = [], 0.0
        for listener, critic in zip(gan.listeners, critics):
            real, generated = listener.representation.encode(waves), fake
            if listener.representation is not representation:
                generated = convert(fake, representation, listener.representation)
            score = partial(critic, training=True)
            on_fake = tf.reduce_mean(score(generated))
            penalty = gradient_penalty(
                score, interpolate([real], [generated], tf.random.uniform([batch]))
            )
            critic_losses.append(on_fake - tf.reduce_mean(score(real)) + 10 * penalty)
            generator_loss -= listener.weight * on_fake
        return critic_losses, generator_loss

    def update():
        for k in range(6):
            waves, z = (
                data["wave"][batch * (k % 5) : batch * (k % 5 + 1)],
                tf.random.uniform((batch, 64), -1, 1),
            )
            with tf.GradientTape() as g_tape, tf.GradientTape(persistent=len(critics) > 1) as tape:
                critic_losses, generator_loss = losses(waves, g(z, training=True))
            if k == 5:
                g_adam.apply(
                    g_tape.gradient(generator_loss, g.trainable_variables), g.trainable_variables
                )
                continue
            for loss, critic, optimizer in zip(critic_losses, critics, adams):
                optimizer.apply(
                    tape.gradient(loss, critic.trainable_variables), critic.trainable_variables
                )
        return float(generator_loss)

    return update


def product_rate(size=4096):
    "A square matrix product, and its GFLOP."
    import tensorflow as tf

    a = tf.random.stateless_normal((size, size), (0, 0))
    multiply = tf.function(lambda a: a @ a)
    return lambda: multiply(a)[0, 0].numpy(), 2 * size**3 / 1e9


def taps(length, kernel, stride):
    "How many products a kernel has along one axis, those with padding not counted."
    begins = range(-((kernel - stride) // 2), length - (kernel + stride) // 2 + 1, stride)
    return sum(min(length, begin + kernel) - max(0, begin) for begin in begins)


def gflop(row, batch, width, samples):
    """Useful GFLOP of an update.

    5 × (10 forwards of each critic + 1 of the generator), then 3 of the generator and 2 of each
    critic; dense layers, padding and what is done number by number are not counted."""
    sizes = [width * k for k in WAVE_LAYERS[1:]]

    def network(size, kernel, stride):
        return sum(
            2 * i * o * math.prod(taps(n // stride**k, kernel, stride) for n in size)
            for k, (i, o) in enumerate(zip([1, *sizes], sizes))
        )

    wave, picture = network([samples], 36, 4), network([samples // 128, 256], 6, 2)
    generator, critics = {
        "wave": (wave, wave),
        "log_mag": (picture, picture),
        "wave_mag": (wave, wave + picture),
    }[row]
    return batch * (5 * (10 * critics + generator) + 3 * generator + 2 * critics) / 1e9


# of a network in an update of `wave`, whose critic costs what its generator does
FORWARDS = 5 * (10 + 1) + 3 + 2


def speaker(batch, width, samples):
    "A generator at work."
    import tensorflow as tf

    from audiosynth.networks.registry import generator

    network = generator((samples, 1), network="wavegan", width=width)
    z = tf.random.stateless_uniform((batch, 64), (0, 0), -1, 1)
    return lambda: network([z], training=False).numpy()


FIRST_SOUND = """
import json, sys, time
began = time.perf_counter()
import audiosynth.gan.trained_model
ready = time.perf_counter()
audiosynth.gan.trained_model.load_model(sys.argv[1]).generate(int(sys.argv[2]))
print(json.dumps([ready - began, time.perf_counter() - ready]))
"""


def first_sound(clips):
    """Seconds until a saved model at paper size has made so many clips in a new Python.

    Those of importing, and those of loading and generating."""
    import tempfile

    from audiosynth.gan.trained_model import TrainedModel

    gan, _ = made("wave", 1, 64, 2**14, False)
    with tempfile.TemporaryDirectory() as folder:
        TrainedModel(gan.generator, gan.representation, {"row": "wave"}).save(folder)
        return [
            json.loads(
                subprocess.run(
                    [sys.executable, "-c", FIRST_SOUND, folder, str(clips)],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout.splitlines()[-1]
            )
            for _ in range(3)
        ]


def work_of(way, row, batch, width, samples):
    "What a process does, and what it says of itself."
    if way == "product":
        work, amount = product_rate()
        return work, {"gflop": amount}
    if way == "generate":
        return speaker(batch, width, samples), {}
    if way == "torch":
        work, version = torch_update(batch, width, samples)
        return work, {"version": version}
    if way == "eager":
        return eager_update(row, batch, width, samples), {}
    return traced_update(row, batch, width, samples, stock=way == "stock"), {}


class Process:
    "A way in a process of its own: one line in, one measurement out."

    def __init__(self, way, row="wave", batch=16, width=64, samples=2**14, python=sys.executable):
        self.metadata = {"way": way, "row": row, "batch": batch, "width": width, "samples": samples}
        self.process = subprocess.Popen(
            [python, __file__, "--serve", way, row, str(batch), str(width), str(samples)],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.metadata |= self.read()
        if way != "product":
            self.metadata["gflop"] = gflop(row, batch, width, samples) / (
                FORWARDS if way == "generate" else 1
            )
        self.measured = []

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"{self.metadata} failed; run it alone to see why: python {__file__} --serve "
                + " ".join(str(v) for v in list(self.metadata.values())[:5])
            )
        return json.loads(line)

    def measure(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.measured.append(self.read())
        return self.measured[-1]

    def result(self):
        return {
            **self.metadata,
            "clock_s": [m["clock_s"] for m in self.measured],
            "cpu_s": [m["cpu_s"] for m in self.measured],
            "memory_mb": max(
                [self.metadata["memory_mb"], *(m["memory_mb"] for m in self.measured)]
            ),
        }

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def interleaved(processes, rounds, save):
    "Measure each in turn, round after round."
    try:
        for k in range(rounds):
            for process in processes:
                took = process.measure()
                about = process.metadata
                print(
                    f"  round {k + 1}  {about['way']:<8} {about['row']:<9} "
                    f"batch {about['batch']:<3} width {about['width']:<3} "
                    f"{took['clock_s']:8.3f} s  processor {took['cpu_s']:8.3f} s",
                    flush=True,
                )
            save([p.result() for p in processes])
    finally:
        for process in processes:
            process.close()


def has_torch(python):
    return subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="of each comparison (default: %(default)s)"
    )
    parser.add_argument("--rows", default=",".join(ROWS), help="default: %(default)s")
    parser.add_argument("--ways", default=",".join(WAYS), help="default: %(default)s")
    parser.add_argument(
        "--parts", default="updates,small,memory,generate,growth", help="default: %(default)s"
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
    parser.add_argument(
        "--memory-batch",
        type=int,
        default=64,
        help="where memory is compared (default: %(default)s)",
    )
    parser.add_argument(
        "--torch", default=sys.executable, help="a Python that has PyTorch (default: this one)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).with_suffix(".json"), help="default: %(default)s"
    )
    parser.add_argument("--serve", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        way, row, *sizes = args.serve
        work, about = work_of(way, row, *map(int, sizes))
        return serve(work, **about)
    run(args, args.rows.split(","), args.ways.split(","), args.parts.split(","))


def run(args, rows, ways, parts):
    "All parts, the file written after every round."
    import tensorflow as tf
    from spectral import processor

    from audiosynth.data.files import write_json

    if "torch" in ways and not has_torch(args.torch):
        print(f"no PyTorch in {args.torch}: left out (name a Python that has it: --torch PATH)")
        ways = [w for w in ways if w != "torch"]
    found = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d"),
        "tensorflow": tf.__version__,
        "rounds": args.rounds,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }
    if args.out.exists() and set(parts) != {"updates", "small", "memory", "generate", "growth"}:
        found = json.loads(args.out.read_text()) | found

    def keep(part):
        def save(results):
            found[part] = results
            write_json(args.out, found)

        return save

    def together(part, processes, rounds=args.rounds, before=()):
        print(part, flush=True)
        interleaved(processes, rounds, lambda results: keep(part)([*before, *results]))
        return found[part]

    def processes(row, width, batch):
        return [
            Process(way, row, batch, width, python=args.torch if way == "torch" else sys.executable)
            for way in ways
            if way != "torch" or row == "wave"
        ]

    if "updates" in parts:
        done = []
        for row in rows:
            done = together(
                "updates",
                [Process("product"), *processes(row, args.width, args.batch)],
                before=done,
            )
    if "small" in parts:
        done = []
        for row in rows:
            done = together(
                "small",
                [
                    Process(way, row, 16, width)
                    for width in (8, 16)
                    for way in ways
                    if way in ("ours", "stock")
                ],
                max(5, args.rounds),
                done,
            )
    if "memory" in parts:
        done = []
        for way in ("ours", "eager"):
            done = memory(way, args, done, keep)
    if "generate" in parts:
        together(
            "generate",
            [
                Process("product"),
                *(Process("generate", batch=b, width=args.width) for b in (1, 64)),
            ],
            max(5, args.rounds),
        )
        for name, clips in (("first_sound_s", 1), ("sixteen_sounds_s", 16)):
            keep(name)(first_sound(clips))
    if "growth" in parts:
        sizes = [
            *((b, 16, 2**14) for b in (4, 8, 16, 32, 64)),
            *((16, w, 2**14) for w in (4, 8, 32)),
            *((16, 16, 2**k) for k in (12, 13, 15)),
        ]
        done = []
        for batch, width, samples in sizes:
            done = together("growth", [Process("ours", "wave", batch, width, samples)], before=done)
    print(f"written: {args.out}")


def memory(way, args, done, keep):
    "One update is enough to know the most memory a way takes."
    process = Process(way, "wave", args.memory_batch, args.width)
    process.close()
    done = [*done, process.result()]
    print(
        f"  {way:<8} batch {args.memory_batch}: {process.metadata['memory_mb']:,.0f} MB", flush=True
    )
    keep("memory")(done)
    return done


if __name__ == "__main__":
    main()
