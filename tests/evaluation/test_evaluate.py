# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The classifier and the table: what it refuses, and real clips before noisy ones before noise."

import json

import numpy as np
import pytest
import soundfile

from audiosynth.data.clips import pcm16
from audiosynth.data.clips_writer import ClipsWriter
from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips
from audiosynth.evaluation import classifier as chapter
from audiosynth.evaluation.classifier import (
    classifier_for,
    fit_temperature,
    load_classifier,
    log_probabilities,
    target_kind,
    targets,
    train_classifier,
)
from audiosynth.evaluation.evaluate import (
    CEILING,
    FIGURES,
    FLOOR,
    HALF,
    SCORES_FILE,
    Reference,
    blind_figures,
    evaluate,
    existing,
    half_noise,
    hiss,
    read_scores_file,
    score_sounds,
    scores_in,
    sounds_of_run,
    table,
)
from audiosynth.gan.trained_model import READY, TrainedModel
from audiosynth.networks.registry import generator
from audiosynth.representations.base import Waveform

SAMPLES, RATE, UPDATES = 4096, 16000, 300


def chord(keys, rng, samples=SAMPLES):
    "Tones with chance in pitch, level and place, and a little noise."
    t = np.arange(samples) / RATE
    tone = sum(
        np.sin(2 * np.pi * 110 * 2 ** ((k + rng.normal(0, 0.05)) / 3) * t + rng.uniform(0, 6))
        for k in keys
    )
    return 0.2 * rng.uniform(0.3, 1) * tone * np.exp(-t * rng.uniform(3, 9)) + 0.005 * rng.normal(
        size=samples
    )


def dataset(folder, kind, n=240):
    "Clips of four tones: with labels, with notes, or with neither."
    rng, labels = np.random.default_rng(0), ["low", "lower", "high", "higher"]
    with ClipsWriter(
        folder,
        rate=RATE,
        samples=SAMPLES,
        source="tones",
        licence="",
        labels=labels if kind == "labels" else (),
        states=8 if kind == "notes" else 0,
    ) as writer:
        for i in range(n):
            keys = [i % 4] if kind != "notes" else np.flatnonzero(rng.random(4) < 0.5)
            roll = np.zeros((8, 89), "uint8")
            roll[2:6, [40 + 4 * k for k in keys]] = 80
            writer.add(
                pcm16(chord(keys, rng) if len(keys) else 0.005 * rng.normal(size=SAMPLES)),
                roll=roll,
                label=labels[i % 4] if kind == "labels" else None,
                group=str(i),
                split=i // 4 % 5 // 3 * (1 + i // 4 % 5 % 2),
            )
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return {
        kind: dataset(tmp_path_factory.mktemp("data") / kind, kind)
        for kind in ("labels", "notes", "neither")
    }


@pytest.fixture(scope="module")
def clips(data):
    return {kind: load_clips(folder) for kind, folder in data.items()}


@pytest.fixture(autouse=True, scope="module")
def small(tmp_path_factory):
    "Few updates, and a cache of its own."
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chapter, "UPDATES", UPDATES)
        patch.setenv("AUDIOSYNTH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield patch


@pytest.fixture(scope="module")
def classifier(clips):
    return classifier_for(clips["labels"], say=str)


def test_what_there_is_to_know(clips):
    assert {kind: target_kind(c) for kind, c in clips.items()} == {
        "labels": "labels",
        "notes": "notes",
        "neither": None,
    }
    assert classifier_for(clips["neither"]) is None
    with pytest.raises(InputError, match="no labels and no notes"):
        train_classifier(clips["neither"])
    held = targets(clips["notes"], np.arange(20), "notes")
    assert held.shape == (20, 88) and set(np.flatnonzero(held.any(0))) <= {40, 44, 48, 52}


def test_the_classifier_knows_unheard_clips(clips, classifier):
    test = clips["labels"].where("test")
    predictions = classifier.classify(clips["labels"].waves(test))
    assert classifier.metadata["accuracy"] > 0.8 and classifier.metadata["tested"] == len(test)
    assert np.isclose(
        (predictions.log_p.argmax(1) == clips["labels"].label[test]).mean(),
        classifier.metadata["accuracy"],
    )
    assert (
        np.allclose(np.exp(predictions.log_p).sum(1), 1)
        and abs((predictions.embedding**2).mean() - 1) < 0.5
    )
    loud = classifier.classify(clips["labels"].waves(test) / 3)
    assert np.allclose(loud.log_p, predictions.log_p, atol=0.3)  # level is not judged


def test_notes_are_recognised(clips):
    found = train_classifier(clips["notes"], updates=150)
    assert found.metadata["accuracy"] > 0.6  # F1; all keys always would have 0.1
    assert np.allclose(np.exp(found.classify(clips["notes"].waves(np.arange(5))).log_p).sum(1), 1)


def test_trained_once_and_checked(clips, classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(chapter, "train_classifier", lambda *a, **k: pytest.fail("trained again"))
    assert classifier_for(clips["labels"]).hash == classifier.hash
    classifier.save(tmp_path / "kept")
    about = json.loads((tmp_path / "kept" / "classifier.json").read_text())
    (tmp_path / "kept" / "classifier.json").write_text(json.dumps({**about, "temperature": 2.5}))
    with pytest.raises(InputError, match="another hash"):
        load_classifier(tmp_path / "kept")
    (tmp_path / "kept" / "network.keras").write_bytes(b"x")
    with pytest.raises(InputError, match="kept"):
        load_classifier(tmp_path / "kept")
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_temperature_makes_probabilities_true():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, (3000, 5))
    y = np.array([rng.choice(5, p=np.exp(row)) for row in log_probabilities(z, "labels")])
    assert abs(fit_temperature(4 * z, y) / 4 - 1) < 0.1
    sure = 100 * np.eye(5)[np.arange(50) % 5]  # never wrong, and far too sure after fifty clips
    p = np.exp(log_probabilities(sure / fit_temperature(sure, np.arange(50) % 5), "labels"))[
        0
    ].max()
    assert abs(p - 51 / 52) < 0.01


def test_real_then_noisy_then_noise(clips, classifier):
    reference = Reference(clips["labels"], classifier)
    sets = {CEILING: reference.test, HALF: half_noise(reference.test), FLOOR: hiss(reference.test)}
    assert np.allclose((sets[FLOOR] ** 2).mean(1), (reference.test**2).mean(1), rtol=1e-3)
    rows = {name: score_sounds(waves, reference) for name, waves in sets.items()}

    def value(name, f):
        return rows[name][f].value * (-1 if FIGURES[f].better == "high" else 1)

    for f in (
        "frechet",
        "frechet_limit",
        "kernel_distance",
        "precision",
        "recall",
        "coverage",
        "centroid",
        "flatness",
    ):
        assert value(CEILING, f) <= value(HALF, f) <= value(FLOOR, f) and value(CEILING, f) < value(
            FLOOR, f
        ), f
    validation = score_sounds(clips["labels"].waves(clips["labels"].where("validation")), reference)
    inside = [
        f
        for f in validation
        if rows[CEILING][f].low - 1e-9 <= validation[f].value <= rows[CEILING][f].high + 1e-9
    ]
    assert len(inside) >= 0.7 * len(validation)
    copied = score_sounds(clips["labels"].waves(clips["labels"].where("train")[:48]), reference)
    assert copied["copies"].value == 1 and rows[CEILING]["copies"].value < 0.05
    assert all(e.low <= e.value <= e.high for scores in rows.values() for e in scores.values())
    assert score_sounds(reference.test, reference) == rows[CEILING]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    "A model that was never trained."
    folder, representation = tmp_path_factory.mktemp("runs") / "tiny", Waveform(SAMPLES, RATE)
    TrainedModel(
        generator(representation.shape, network="wavegan", width=2, latent=64),
        representation,
        {"row": "wave", "labels": []},
    ).save(folder)
    return folder


def test_one_table_for_many(run, data, tmp_path):
    found = evaluate([run], data["labels"], tmp_path / "one", n=24, quiet=True, say=str)
    assert (
        list(found["rows"]) == [CEILING, "tiny", HALF, FLOOR] and found["rows"]["tiny"]["n"] == 24
    )
    assert (
        read_scores_file(tmp_path / "one")["rows"].keys() == found["rows"].keys()
        and (tmp_path / "one" / "scores.png").stat().st_size > 10_000
    )
    assert (tmp_path / "one" / "scores.txt").read_text() == table(scores_in(found)) + "\n"
    assert found["clips_needed"]["centroid"] < 1000  # noise 20 dB below is heard at once
    kinds = found["rows"]["tiny"]["copies"]["planted"]
    worst = min(share.value for share in kinds.values())
    assert worst == found["rows"]["tiny"]["scores"]["copies_found"].value and len(kinds) == 8
    files = tmp_path / "sounds"
    files.mkdir()
    for i in range(25):
        soundfile.write(files / f"{i}.wav", 0.1 * np.random.default_rng(i).normal(size=3000), RATE)
    more = evaluate(
        [files, tmp_path / "one"], data["labels"], tmp_path / "two", n=24, quiet=True, say=str
    )
    assert more["clips_needed"] == json.loads(json.dumps(found["clips_needed"]))
    assert list(more["rows"]) == [CEILING, "tiny", "sounds", HALF, FLOOR] and more["rows"]["tiny"][
        "scores"
    ] == json.loads(json.dumps(found["rows"]["tiny"]["scores"]))


def test_what_does_not_go_together_is_refused(run, data, clips, tmp_path):
    out = tmp_path / "scores"
    evaluate([run], data["labels"], out, n=24, quiet=True, say=str)
    kept = (out / SCORES_FILE).read_bytes()
    with pytest.raises(InputError, match="other data|another classifier"):
        evaluate([run], data["neither"], out, n=24, quiet=True, say=str)
    scores = json.loads(kept)
    (out / SCORES_FILE).write_text(
        json.dumps({**scores, "classifier": {**scores["classifier"], "hash": "0" * 12}})
    )
    with pytest.raises(InputError, match="another classifier.*do not go into one table"):
        evaluate([run], data["labels"], out, n=24, quiet=True, say=str)
    (out / SCORES_FILE).write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        evaluate([run], data["labels"], out, n=24, quiet=True, say=str)
    for runs, words, n in (
        ([tmp_path / "no"], "no such folder", 24),
        ([run], "too few", 3),
        ([tmp_path], "no trained model", 24),
    ):
        with pytest.raises(InputError, match=words):
            evaluate(runs, data["labels"], tmp_path / "new", n=n, quiet=True, say=str)
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="clips of 4096 samples at 16000 Hz, the data has"):
        sounds_of_run(run, 2, clips=load_clips("digits"))


def test_a_poor_judge_is_named(run, data, clips, tmp_path, small):
    said = []
    small.setattr(chapter, "UPDATES", 1)
    evaluate([run], data["labels"], tmp_path / "out", n=24, quiet=True, say=said.append)
    small.setattr(chapter, "UPDATES", UPDATES)
    assert any("less than 80% right" in line for line in said)


def test_without_labels_only_the_signal(run, data, tmp_path):
    said = []
    found = evaluate([run], data["neither"], tmp_path / "out", n=24, quiet=True, say=said.append)
    assert found["classifier"] is None and set(found["rows"]["tiny"]["scores"]) == {
        "level",
        "crest",
        "centroid",
        "flatness",
        "copies",
        "copies_found",
        "copies_alarms",
    }
    assert any("no labels and no notes" in line for line in said)


def test_a_share_of_copies_stands_only_where_copies_would_be_found():
    scores = {"copies": (0.01, 0, 0.02)}
    for found, alarms, shown in (
        (0.95, 0.02, "0.010"),
        (0.5, 0.02, "cannot"),
        (0.95, 0.3, "cannot"),
    ):
        known = {"copies_found": (found,) * 3, "copies_alarms": (alarms,) * 3}
        assert shown in table({"a": scores | known}).splitlines()[1]
    assert "cannot tell" in table({"a": scores})


def test_a_figure_that_needs_more_clips_is_named():
    needed = {"centroid": 30.0, "inception_score": 5000.0, "recall": None, "recognised": 900.0}
    assert blind_figures(needed, 10_000) and "IS" not in blind_figures(needed, 10_000)
    line = blind_figures(needed, 1000)
    assert all(word in line for word in ("IS (5,000)", "recall (no number)", "recognised (900)"))
    assert "centroid" not in line and blind_figures({"centroid": 30.0}, 100) == ""


def test_a_ready_model_is_known_by_its_name_unless_a_folder_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert existing("digit") == READY / "digit"
    with pytest.raises(InputError, match="dgit: no such folder.*digit"):
        existing("dgit")
    (tmp_path / "digit").mkdir()
    assert existing("digit").resolve() == tmp_path / "digit"
