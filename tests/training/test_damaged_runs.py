# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Runs and models that somebody touched, killed or copied: it goes on, or ends in one line."""

import json
import shutil
import zipfile

import numpy as np
import pytest
import soundfile

from audiosynth import cli
from audiosynth.data.clips_writer import ClipsWriter
from audiosynth.data.files import InputError, machine
from audiosynth.data.work_folder import Busy, locked
from audiosynth.gan.trained_model import load_model
from audiosynth.training.learn_basis import train_basis
from audiosynth.training.runs import Damaged, Run, read_arrays, read_log, tidy_log
from audiosynth.training.train import train

SIZE = dict(width=2, batch=2, save_every=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    "Eight clips of two labels, and one of a third that is for the test alone."
    folder, rng = tmp_path_factory.mktemp("data") / "clips", np.random.default_rng(0)
    about = dict(source="noise", licence="CC0", labels=["a", "b", "rare"])
    with ClipsWriter(folder, rate=8000, samples=4096, **about) as writer:
        for i in range(9):
            label, split = ("rare", 2) if i == 8 else ("ab"[i % 2], 0)
            wave = rng.integers(-9000, 9000, 4096).astype("int16")
            writer.add(wave, label=label, split=split, group=str(i))
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    "(the folder of a run of two updates, what was said)"
    out, said = tmp_path_factory.mktemp("runs") / "run", []
    train("digit", data, out, steps=2, quiet=True, say=said.append, **SIZE)
    return out, said


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained[0], tmp_path / "run")


def edit(path, change):
    "Change what a JSON file holds."
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def refused(*words, capsys):
    "The one line with which a command is refused."
    with pytest.raises(SystemExit) as error:
        cli.main([str(word) for word in words])
    line = capsys.readouterr().err
    assert error.value.code == 2 and line.startswith("audiosynth: ") and line.count("\n") == 1
    return line


def test_a_label_that_was_never_heard_is_not_offered(trained):
    out, said = trained
    assert any("rare" in line for line in said)
    model = load_model(out)
    assert "says a, b" in repr(model) and "rare" not in repr(model)
    assert model.label_numbers(5, None).tolist() == [0, 1, 0, 1, 0]
    with pytest.raises(InputError, match="'rare' had no clip in its training"):
        model.generate(1, label="rare")


def test_labels_stay_inside_the_folder(run, tmp_path, capsys):
    edit(run / "model" / "model.json", lambda m: m.update(labels=["/../../out", "x" * 300, "c"]))
    cli.main(["generate", str(run), "--n", "2", "--out", str(tmp_path / "made" / "here")])
    names = [p.name for p in (tmp_path / "made" / "here").iterdir()]
    assert len(names) == 3 and sorted(p.name for p in tmp_path.iterdir()) == ["made", "run"]
    assert sorted(p.name for p in (tmp_path / "made").iterdir()) == ["here"]
    for path in (tmp_path / "made" / "here").glob("*.wav"):
        assert soundfile.info(path).frames == 4096


def test_the_model_is_swapped_whole(run, monkeypatch):
    before = {p.name: p.read_bytes() for p in (run / "model").iterdir()}
    (run / "model" / "notes.txt").write_text("mine")
    model = load_model(run)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(model.representation), "save", killed)
    with pytest.raises(KeyboardInterrupt):
        model.save(run / "model")
    assert {p.name: p.read_bytes() for p in (run / "model").iterdir()} == before | {
        "notes.txt": b"mine"
    }
    monkeypatch.undo()
    model.save(run / "model")
    assert {p.name for p in (run / "model").iterdir()} == {*before, "notes.txt"}
    assert not [p for p in run.iterdir() if p.name.startswith(".")]


def test_two_trainings_in_one_folder_are_kept_apart(run, data):
    with locked(run, "training", stays=True), pytest.raises(Busy, match="wait for it"):
        train("digit", data, run, steps=3, quiet=True, **SIZE)
    with Run(run).lock(), pytest.raises(Busy), Run(run).lock():
        pass
    assert not (run / ".lock").exists()


def test_the_same_command_goes_on_with_a_damaged_folder(run, data):
    "A copy of a checkpoint, a damaged newest one, a damaged log, a dead process's files."
    points = run / "checkpoints"
    shutil.copy(points / "step-00000002.npz", points / "step-00000002 (1).npz")
    (points / "step-best.npz").touch()
    (points / ".step-00000003.npz.99999").write_bytes(b"half")
    (points / f".audiosynth-{machine()}-{2**22 + 1}-step-00000003.npz").write_bytes(b"half")
    content = bytearray((points / "step-00000002.npz").read_bytes())
    content[content.find(b"PK\1\2") + 10] = 97  # an unknown way of packing
    (points / "step-00000002.npz").write_bytes(content)
    log = (run / "log.csv").read_text()
    (run / "log.csv").write_text(log + "2x,1\n3,")
    said = []
    train("digit", data, run, steps=3, quiet=True, say=said.append, **SIZE)
    assert any("damaged checkpoint" in line for line in said)
    assert sorted(p.name for p in points.iterdir())[:2] == [
        "step-00000000.npz",
        "step-00000001.npz",
    ]
    assert not [p for p in points.iterdir() if p.name.startswith(".")]
    assert read_log(run)["step"].tolist()[-1] == 3 and (run / "log.csv.damaged").exists()
    assert not [p for p in run.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("how", ["stopped", "no model", "back"])
def test_the_model_of_a_finished_run_is_that_of_its_step(how, run, data):
    "Stopped between the last checkpoint and its model, on a full disk for one; or sent back."
    if how == "stopped":
        edit(run / "model" / "model.json", lambda m: m.update(step=1))  # as it was before
    elif how == "no model":
        shutil.rmtree(run / "model")
    steps = 1 if how == "back" else 2
    size = dict(SIZE, step=1) if how == "back" else SIZE
    model = train("digit", data, run, steps=steps, quiet=True, **size)
    assert model.metadata["step"] == steps == Run(run).checkpoints()[-1]
    assert read_log(run)["step"].tolist()[-1:] == ([2] if steps == 2 else [])
    weights, _ = read_arrays(Run(run).checkpoint(steps))
    for i, weight in enumerate(model.generator.get_weights()):
        assert np.array_equal(weight, weights[f"averaged/{i:03d}"])


@pytest.mark.parametrize("place, value", [(6, 110), (8, 1), (10, 97), (20, 255), (-30, 255)])
def test_a_flipped_byte_in_a_checkpoint_is_damage(place, value, run):
    path = run / "checkpoints" / "step-00000002.npz"
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\1\2") + place
    content[at] |= value
    path.write_bytes(content)
    try:
        read_arrays(path)
    except Damaged as error:
        assert "step-00000002.npz: damaged checkpoint" in str(error)


LOG = b"step,gap\r\n10,0.5\r\n20,0.25\r\n30,0.1\r\n"


@pytest.mark.parametrize(
    "content, kept, copied",
    [
        (LOG, [10, 20], False),
        (LOG + b"40,", [10, 20], True),
        (LOG.replace(b"20,", b"2x,"), [10], True),
        (LOG.replace(b"0.5", b"x.5"), [20], True),
        (LOG.replace(b"0.5", b"0\x9e5"), [20], True),
        (LOG.replace(b"\r\n", b"\n"), [10, 20], False),
        (LOG[:7], None, True),
        (b"", None, False),
        (b"\0" * 40, None, True),
    ],
)
def test_a_damaged_log_loses_only_its_damaged_lines(content, kept, copied, tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    assert tidy_log(path, 20) == (["step", "gap"] if kept else None)
    assert (tmp_path / "log.csv.damaged").exists() == copied
    if copied:
        assert (tmp_path / "log.csv.damaged").read_bytes() == content
    if kept:
        assert read_log(tmp_path)["step"].tolist() == kept
    else:
        with pytest.raises(InputError, match="not the log of a run"):
            read_log(tmp_path)


def test_a_run_that_was_killed_at_its_very_beginning_goes_on(tmp_path):
    run = Run(tmp_path / "run")
    (run.folder / "checkpoints").mkdir(parents=True)
    (run.folder / "representation.json").write_text("{")  # of another row, perhaps
    run.check({})
    with run.lock():
        assert not (run.folder / "representation.json").exists()
    (run.folder / "checkpoints" / "mine.txt").touch()
    with pytest.raises(InputError, match="is not empty"):
        run.check({})


def test_a_refused_run_leaves_no_folder(tmp_path):
    with Run(tmp_path / "a" / "run").lock():
        assert (tmp_path / "a" / "run").is_dir()
    assert not list(tmp_path.iterdir())


EDITS = {
    "seed": lambda m: m.pop("seed"),
    "experiment": lambda m: m.pop("experiment"),
    "experiment is 5": lambda m: m.update(experiment=5),
    "colour": lambda m: m["experiment"].update(colour=1),
    "data is 'x'": lambda m: m.update(data="x"),
    "labels": lambda m: m.update(labels=5),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_changed_experiment_is_one_line(name, run):
    edit(run / "experiment.json", EDITS[name])
    with pytest.raises(InputError, match=f"experiment.json: .*{name.split()[0]}") as error:
        Run(run).check({"row": "digit"})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format":1}', "{", '{"format":1,"labels":5}'])
def test_a_changed_model_is_one_line(text, run, capsys):
    (run / "model" / "model.json").write_text(text)
    line = refused("generate", run, "--n", 1, "--out", run / "g", capsys=capsys)
    assert "model.json" in line or "generator.keras" in line


def replace_network(run, config):
    "Let `generator.keras` declare another network."
    path = run / "model" / "generator.keras"
    with zipfile.ZipFile(path) as old:
        content = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, each in content.items():
            new.writestr(name, json.dumps(config) if name == "config.json" else each)


def layer(kind, **config):
    return dict(module="keras.layers", class_name=kind, config=config, registered_name=None)


def test_a_network_that_is_not_the_generator_is_one_line(run):
    dense = layer("Dense", name="d", units=3)
    huge = layer("Dense", name="d", units=2_000_000)
    z = layer("InputLayer", batch_shape=[None, 64], dtype="float32", name="z")
    for config, said in (
        (dense, "cannot be loaded|a network from"),
        (
            dict(dense, class_name="Sequential", config={"name": "s", "layers": [z, huge]}),
            "2,000,000",
        ),
        ([], "cannot be loaded"),
    ):
        replace_network(run, config)
        with pytest.raises(InputError, match=said):
            load_model(run)


def test_numbers_that_are_none_are_refused_before_anything_is_made(data, tmp_path):
    for options in (
        dict(minutes=float("nan")),
        dict(minutes=float("inf")),
        dict(steps=0),
        dict(steps=1, learning_rate=float("nan")),
        dict(steps=1, learning_rate=-1),
        dict(steps=1, learning_rate=0),
        dict(steps=1, seed=-1),
        dict(steps=1, seed=2**40),
    ):
        with pytest.raises(InputError):
            train("digit", data, tmp_path / "run", **options)
    assert not list(tmp_path.iterdir())


def test_seeds_out_of_range_are_one_line(run, capsys):
    for seed in ("-1", "99999999999999999999", "x"):
        assert "seed" in refused("generate", run, "--n", 1, "--seed", seed, capsys=capsys)


def test_too_much_is_one_line(run, capsys, monkeypatch):
    def no_room(*_, **__):
        raise MemoryError("Unable to allocate 954. GiB")

    monkeypatch.setattr("audiosynth.gan.trained_model.TrainedModel.generate", no_room)
    line = refused("generate", run, "--n", 5, "--out", run / "g", capsys=capsys)
    assert "not enough memory" in line and "954" in line


@pytest.mark.parametrize("begin", [train, train_basis, lambda row, data, out, **_: Run(out)])
def test_a_model_is_no_run_that_never_began(begin, tmp_path):
    for name in ("model.json", "generator.keras", "representation.json", "critics/mine.txt"):
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_text(name)
    row = "basis_plain" if begin is train_basis else "digit"
    try:
        with begin(row, "digits", tmp_path / "model", steps=1, quiet=True).lock():
            pass
    except InputError as error:
        assert "holds no run" in str(error)
    left = [p for p in (tmp_path / "model").rglob("*") if p.is_file() and p.name[:1] != "."]
    assert len(left) == 4 and all(p.read_text().endswith(p.name) for p in left)
