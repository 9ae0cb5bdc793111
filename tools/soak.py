# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
# ruff: noqa: E402, TensorFlow must be quiet before it is imported
"""Damage files, kill commands and serve lies, at random, for so many minutes.

Four rules judge. No traceback: what is refused is refused by `InputError` or `BadAudio`, or by one
line and status 2 (1 for `check` that finds damage). Nothing outside the target. Nothing lost: the
same command goes on after a kill, to the bytes of an undisturbed one. Nothing silently wrong: what
has a checksum is read as it was, or refused.

`python tools/soak.py --minutes 1 --seed 0` is repeatable: input k of a seed is always the same.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from audiosynth.cli import main, quiet_tensorflow

quiet_tensorflow()

import numpy as np
import pretty_midi
import soundfile as sf

from audiosynth.data.check import check_dataset
from audiosynth.data.clips import Clips
from audiosynth.data.files import InputError
from audiosynth.data.midi import performance
from audiosynth.data.recordings import BadAudio, blocks
from audiosynth.data.sources import prepare
from audiosynth.evaluation.evaluate import read_scores_file
from audiosynth.gan.trained_model import load_model
from audiosynth.training.options import read_options
from audiosynth.training.runs import Run, read_arrays, read_log
from audiosynth.training.train import train

RATE, SAMPLES = 16000, 4096
TINY = dict(width=2, batch=2, quiet=True, say=lambda line: None)
LIMIT_S = 120  # of one command


# ---- what is damaged


def tone(hz, seconds=0.4):
    t = np.arange(int(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * hz * t)).astype("float32")


def recordings(folder):
    "Two words in four formats."
    for k, word in enumerate(("low", "high")):
        (folder / word).mkdir(parents=True)
        for i in range(6):
            kind = ("wav", "flac", "ogg", "mp3")[i % 4]
            sf.write(folder / word / f"{i}.{kind}", tone(200 + 300 * k + 20 * i), RATE)
    return folder


def workspace(folder):
    "Sound files, a MIDI file, a dataset, a run, scores and options, all small and undamaged."
    recordings(folder / "from")
    prepare("folder", folder / "data", from_=folder / "from", samples=SAMPLES)
    train("wave", folder / "data", folder / "run", steps=2, save_every=1, **TINY)
    midi, piano = pretty_midi.PrettyMIDI(), pretty_midi.Instrument(0)
    piano.notes += [pretty_midi.Note(80, 60 + i, i / 4, i / 4 + 0.2) for i in range(12)]
    midi.instruments.append(piano)
    midi.write(str(folder / "notes.mid"))
    row = {"n": 20, "about": "", "scores": {"frechet": [1.0, 0.5, 2.0]}}
    scores = {"format": 1, "data": {"name": "d", "hash": "h"}, "classifier": None, "seed": 0}
    (folder / "scores.json").write_text(json.dumps(scores | {"rows": {"a": row}}))
    (folder / "options.toml").write_text('data = "data"\nsteps = 2\nseed = 0\n')
    return folder


def mutated(content, rng):
    "Bytes, damaged in one of six ways."
    content = bytearray(content)
    place = rng.randrange(len(content) + 1)
    some = rng.randrange(1, 65)
    match rng.randrange(6):
        case 0:  # cut short
            return bytes(content[:place])
        case 1:  # bits turned over
            for _ in range(rng.randrange(1, 9)):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        case 2:  # zeros
            content[place : place + some] = bytes(some)
        case 3:  # bytes of chance put between
            content[place:place] = rng.randbytes(some)
        case 4:  # a part once more
            content[place:place] = content[max(0, place - some) : place]
        case 5:  # a number or a word of JSON that is another
            text = content.decode("utf-8", "surrogateescape")
            old, new = rng.choice([("1", "-1"), ("0", "1e999"), ('"', ""), ("[", "{"), (":", ",")])
            parts = text.split(old)
            k = rng.randrange(1, len(parts)) if len(parts) > 1 else 0
            text = old.join(parts[:k]) + new + old.join(parts[k:]) if k else text + new
            return text.encode("utf-8", "surrogateescape")
    return bytes(content)


# ---- how it is read


def decoded(path):
    return b"".join(block.tobytes() for block in blocks(path, rate=RATE))


def all_clips(path):
    clips = Clips(path.parent)
    return clips.waves(np.arange(len(clips))).tobytes()


def arrays(path):
    found, _ = read_arrays(path)
    return b"".join(found[name].tobytes() for name in sorted(found))


def said_by_model(path):
    return load_model(path.parent).hash.encode()


def log_of(path):
    return repr(read_log(path.parent)).encode()


def of_run(path):
    return repr(Run(path.parent).metadata).encode()


def checked(path):
    return str(check_dataset(path.parent, quiet=True).damaged).encode()


# file: (how it is read, must it be read as it was where it is not refused?)
READERS = {
    "from/low/0.wav": (decoded, False),
    "from/low/1.flac": (decoded, True),
    "from/low/2.ogg": (decoded, True),
    "from/low/3.mp3": (decoded, False),
    "notes.mid": (lambda path: repr(performance(path).instruments).encode(), False),
    "data/manifest.json": (all_clips, False),
    "data/index.npz": (all_clips, True),
    "data/clips.npy": (checked, False),
    "run/experiment.json": (of_run, False),
    "run/log.csv": (log_of, False),
    "run/checkpoints/step-00000002.npz": (arrays, True),
    "run/model/model.json": (said_by_model, False),
    "run/model/representation.json": (said_by_model, False),
    "run/model/generator.keras": (said_by_model, True),
    "scores.json": (lambda path: repr(read_scores_file(path)).encode(), False),
    "options.toml": (lambda path: repr(read_options(path)).encode(), False),
}


def sizes(folder):
    "All files of the workspace with their sizes: reading must not change them."
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def damage_one(work, clean, rng):
    "One damaged file, read. Returns a finding, or None."
    name = rng.choice(list(READERS))
    reader, exact = READERS[name]
    path = work / name
    was = path.read_bytes()
    bad = mutated(was, rng)
    path.write_bytes(bad)
    before = sizes(work)
    try:
        found = reader(path)
        if exact and bad != was and found != clean[name]:
            return f"{name}: damaged, read without a word, and as something else"
        if sizes(work) != before:
            return f"{name}: reading it changed files"
    except (InputError, BadAudio) as error:
        if "\n" in str(error).strip():
            return f"{name}: more than a line: {error}"
    except Exception:
        return f"{name}: {traceback.format_exc(limit=-3)}"
    finally:
        path.write_bytes(was)
    return None


# ---- commands: in a process forked from this one's like, and killed


def command(words, said):
    "In the new process."
    file = open(said, "w")
    for stream in (sys.stdout, sys.stderr):
        os.dup2(file.fileno(), stream.fileno())
    main([*map(str, words)])


def begin(words, said):
    "Start a command; a process."
    context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
    context.set_forkserver_preload(["tensorflow", "keras", "librosa", __name__])
    process = context.Process(target=command, args=(words, said))
    process.start()
    return process


def fails(process, said):
    "What is wrong with how a command ended, or None."
    process.join(LIMIT_S)
    status = process.exitcode
    process.kill()
    text = Path(said).read_text(errors="replace")
    if status not in (0, 2) or "Traceback" in text:
        return f"status {status}: {text[-600:]}"
    return None


def result_of(out):
    "The bytes that a command made, as a hash: clips and index, or the weights of the last step."
    digest = hashlib.sha256()
    if (out / "clips.npy").exists():
        digest.update((out / "clips.npy").read_bytes())
    else:
        digest.update(arrays(sorted((out / "checkpoints").glob("step-*.npz"))[-1]))
    return digest.hexdigest()


def kill_one(folder, rng, known):
    "A command killed at some moment, and given again. Returns a finding, or None."
    verb = rng.choice(["prepare", "train"])
    source = ["folder", "--from", folder / "from", "--samples", SAMPLES, "--workers", 1]
    words = {
        "prepare": ["prepare", *source],
        "train": "train wave --size paper --steps 6 --width 2 --batch 2 --save-every 1".split()
        + ["--data", folder / "data"],
    }[verb]
    if verb not in known:
        out = folder / f"whole_{verb}"
        if wrong := fails(begin([*words, "--out", out], folder / "said"), folder / "said"):
            return f"{verb}, undisturbed: {wrong}"
        known[verb] = result_of(out)
    out = folder / f"killed_{verb}"
    for _ in range(rng.randrange(1, 3)):
        process = begin([*words, "--out", out], folder / "said")
        process.join(rng.uniform(0, 1.5 if verb == "prepare" else 12))
        if process.exitcode is None:
            os.kill(process.pid, rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        process.join(LIMIT_S)
    wrong = fails(begin([*words, "--out", out], folder / "said"), folder / "said")
    if not wrong and result_of(out) != known[verb]:
        wrong = "ended in other bytes than the undisturbed command"
    left = [path.name for path in folder.iterdir() if "unfinished" in path.name]
    if not wrong and left:
        wrong = f"left behind: {', '.join(left)}"
    shutil.rmtree(out, ignore_errors=True)
    return wrong and f"{verb}, killed and given again: {wrong}"


# ---- the whole


def soak(minutes, seed, *, inputs=None, kills=None, keep=None):
    "Work until the time or the counts are up. Returns counts and findings."
    until, counts, findings, known = time.monotonic() + 60 * minutes, Counter(), [], {}
    with tempfile.TemporaryDirectory() as place:
        folder = workspace(Path(place))
        clean = {name: reader(folder / name) for name, (reader, _) in READERS.items()}
        while time.monotonic() < until:
            done = counts["inputs"], counts["kills"]
            if (inputs is not None and done[0] >= inputs) and done[1] >= (kills or 0):
                break
            kill = kills is None and done[0] % 400 == 399 or kills and done[1] < kills
            if inputs is not None and done[0] >= inputs:
                kill = True
            kind = "kills" if kill else "inputs"
            rng = random.Random(f"{seed} {kind} {counts[kind]}")
            counts[kind] += 1
            kept = rng.getstate()
            wrong = kill_one(folder, rng, known) if kill else damage_one(folder, clean, rng)
            if wrong:
                findings.append(f"{kind} {counts[kind] - 1} of seed {seed}: {wrong}")
                if keep and not kill:
                    rng.setstate(kept)
                    name = rng.choice(list(READERS))
                    Path(keep).mkdir(parents=True, exist_ok=True)
                    bad = mutated((folder / name).read_bytes(), rng)
                    (Path(keep) / f"{counts[kind] - 1}_{Path(name).name}").write_bytes(bad)
    return counts, findings


def run():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--minutes", type=float, default=1.0)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--inputs", type=int, help="stop after so many damaged files")
    words.add_argument("--kills", type=int, help="and so many killed commands")
    words.add_argument("--keep", help="a folder for the damaged files of findings")
    args = words.parse_args()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what decoders of damaged sound remark
    how = dict(inputs=args.inputs, kills=args.kills, keep=args.keep)
    counts, findings = soak(args.minutes, args.seed, **how)
    print("\n".join(findings))
    print(f"{counts['inputs']:,} inputs, {counts['kills']} kills: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(run())
