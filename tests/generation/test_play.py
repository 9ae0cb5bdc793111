# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The page that plays a model: every control works, and its sounds are those of Python."

import gzip
import io

import numpy as np
import pytest
import soundfile as sf

from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips
from audiosynth.gan.experiment import resolve
from audiosynth.gan.trained_model import TrainedModel
from audiosynth.generation.exported import ExportedModel, decode, magnitude
from audiosynth.generation.play import check_playable, play_page
from conftest import new_page, serve

pytest.importorskip("tf2onnx")
ASK = """async ([z, label]) => {
    const { x, magnitude, wave } = await request(z, label);
    return [x, magnitude ?? [], wave].map((values) => Array.from(values));
}"""


def untrained(row):
    clips = load_clips("digits")
    made = resolve(row, clips, width=2).fit()
    metadata = {"row": row, "labels": made.labels}
    return TrainedModel(made.networks()[0], made.representation, metadata)


@pytest.fixture(scope="module", params=["digit"])
def folder(request, tmp_path_factory):
    return play_page(untrained(request.param), tmp_path_factory.mktemp("play") / "page")


@pytest.fixture(scope="module")
def opened(folder, browser):
    "The page, when its first sound is there."
    with serve(folder) as address, new_page(browser) as page:
        page.goto(address)
        page.wait_for_function("performance.getEntriesByName('first sound').length", timeout=60_000)
        yield page


@pytest.fixture(scope="module")
def exported(folder, tmp_path_factory):
    "The page's own network, in Python."
    path = tmp_path_factory.mktemp("network") / "model.onnx"
    path.write_bytes(gzip.decompress((folder / "model.onnx.gz").read_bytes()))
    path.with_name("model.onnx.json").write_text((folder / "model.json").read_text())
    return ExportedModel(path)


def test_the_sounds_are_those_of_python(opened, exported):
    decoder, rng, waves = exported.about["decoder"], np.random.default_rng(0), []
    for label in (0, 1):
        z = rng.uniform(-1, 1, 64)
        x, linear, wave = (np.array(part) for part in opened.evaluate(ASK, [z.tolist(), label]))
        wanted = exported.outputs([z], [label] if exported.labels else None)[0]
        x = x.reshape(wanted.shape)
        assert np.abs(x - wanted).max() < 1e-4 and np.abs(x - wanted).max() < 0.01 * wanted.std()
        if len(linear):
            of_python = magnitude(x[..., 0].astype(float), decoder)
            difference = np.abs(linear.reshape(of_python.shape) - of_python).max()
            assert difference < 1e-4 * of_python.max()
        of_python = decode(x, decoder)  # from the same output: sample by sample
        assert np.linalg.norm(wave - of_python) < 1e-4 * np.linalg.norm(of_python)  # -80 dB
        waves.append(wave)
    assert np.linalg.norm(waves[0] - waves[1]) > 0.01 * np.linalg.norm(waves[0])


def test_every_control(opened, exported):
    page, count = opened, 10
    assert page.locator("#pads button").count() == count
    for key in "1234567890":  # keys and clicks choose the same pads
        page.keyboard.press(key)
        page.wait_for_function("key => KEYS[last?.pad] === key", arg=key, timeout=20_000)
    page.locator("#pads button").nth(2).click()
    page.wait_for_function("last.pad === 2", timeout=20_000)
    assert page.locator("#pads [aria-pressed=true]").count() == 1
    for n in (0, 5):
        page.locator("#steps button").nth(n).click()
    name = page.locator("#pads button").nth(2).inner_text().split("\n")[-1]
    assert page.locator("#steps button").nth(5).get_attribute("aria-label") == f"Step 6: {name}"
    page.locator("#tempo").fill("180")
    assert page.locator("#bpm").inner_text() == "180 bpm"
    page.locator("#run").click()
    page.wait_for_function("beat === 5", timeout=20_000)
    page.locator("#run").click()
    assert page.evaluate("[beat, timer]") == [-1, 0]
    page.locator("#clear").click()
    assert page.locator("#steps [aria-pressed=true]").count() == 0
    assert not page.faults


def test_what_changes_the_latent(opened):
    page, before = opened, opened.evaluate("latentOf(0)")

    def changed():
        nonlocal before
        now = page.evaluate("latentOf(0)")
        difference, before = np.abs(np.subtract(now, before)).max(), now
        assert np.abs(now).max() <= 1
        return difference > 1e-3

    for n in range(page.locator("#knobs input").count()):
        page.locator("#knobs input").nth(n).fill("1.5")
        assert changed()
    page.locator("#centre").click()
    assert changed() and np.array_equal(before, page.evaluate("voice[0]"))
    page.locator("#walk").fill("8")
    assert changed() and np.abs(np.subtract(before, page.evaluate("goal[0]"))).max() < 1e-5
    page.locator("#elsewhere").click()
    assert changed()
    page.locator("#stroll").click()
    page.wait_for_function("document.getElementById('walk').value === '2'", timeout=30_000)
    page.evaluate("strolling++")  # that is enough
    page.locator("#renew").click()
    assert changed() and not page.faults


def test_the_wav_file(opened, exported):
    with opened.expect_download() as waiting:
        opened.locator("#save").click()
    content = open(waiting.value.path(), "rb").read()
    wave, rate = sf.read(io.BytesIO(content))
    wanted = opened.evaluate("soundOf(chosen).then(sound => Array.from(sound.wave))")
    assert rate == exported.rate and np.abs(wave - np.array(wanted)).max() < 1e-4
    assert waiting.value.suggested_filename.endswith(".wav") and not opened.faults


def test_on_a_phone_nothing_is_cut_off(folder, opened):
    opened.set_viewport_size({"width": 360, "height": 780})
    width = "document.documentElement.scrollWidth"
    assert opened.evaluate(width) == 360
    cut = """[...document.querySelectorAll('button')]
        .filter(b => b.scrollWidth > b.clientWidth + 1).map(b => b.textContent)"""
    assert not opened.evaluate(cut)
    unnamed = "[...document.querySelectorAll('input')].filter(i => !i.labels.length).length"
    assert not opened.evaluate(unnamed)
    opened.set_viewport_size({"width": 1280, "height": 900})


def test_the_page_is_small_and_says_how_to_serve_it(folder, browser):
    assert sum(file.stat().st_size for file in folder.iterdir()) < 8e6
    with new_page(browser) as page:
        page.goto((folder / "index.html").as_uri())
        assert "python -m http.server" in page.locator("#status").inner_text()


def test_models_that_the_page_cannot_play():
    model = untrained("stft")
    model.condition = "midi"
    with pytest.raises(InputError, match="takes notes has no page"):
        check_playable(model)
    with pytest.raises(InputError, match="mag_if: the page has no decoder"):
        check_playable(untrained("mag_if"))
