# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The listening test: blinded, answered by keyboard in a browser, saved, read back, analysed."

import json
import math

import numpy as np
import pytest
import soundfile

from audiosynth.cli import main
from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips
from audiosynth.evaluation import listening_test as listening
from audiosynth.evaluation.listening_analysis import (
    abx_results,
    analyse,
    analyse_answers,
    read_answers,
    read_key,
    report,
    simulated_answers,
)
from audiosynth.evaluation.listening_test import (
    CODED,
    KEY,
    MODES,
    PAGE,
    REAL,
    loudness,
    match_loudness,
    power_lines,
    real_rows,
    screens_of,
    sequences,
    write_test,
)

MAKERS = (REAL, CODED, "secret_run")


def tones(n=2, seconds=0.4, rate=16000):
    "A tone of its own for each sequence of each maker."
    t = np.arange(int(seconds * rate)) / rate
    return {
        name: np.stack(
            [0.3 * np.sin(2 * np.pi * (300 + 100 * (3 * k + i)) * t) for i in range(n)]
        ).astype(np.float32)
        for k, name in enumerate(MAKERS)
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("listening") / "test"
    key = write_test(
        out,
        tones(),
        dict.fromkeys(MAKERS, ""),
        rate=16000,
        level=None,
        modes=MODES,
        repeats=1,
        title="Do <you> hear?",
        seed=3,
    )
    return out, key


def test_sequences_are_five_clips_half_a_second_apart():
    waves = np.random.default_rng(0).normal(size=(11, 1000)).astype(np.float32)
    found = sequences(waves, rate=16000)
    assert found.shape == (2, 5 * 1000 + 4 * 8000)
    assert (
        np.array_equal(found[1, 9000:10000], waves[6])
        and not found[:, 1000:9000].any()
        and np.array_equal(found[0, -1000:], waves[4])
    )


def test_loudness_is_that_of_the_standard():
    sine = np.sin(2 * np.pi * 997 * np.arange(3 * 48000) / 48000)
    assert abs(loudness(sine, rate=48000) + 3.01) < 0.02
    assert abs(loudness(10 ** (-20 / 20) * sine, rate=48000) + 23.01) < 0.02
    low = np.sin(2 * np.pi * 38 * np.arange(3 * 48000) / 48000)
    assert -10 < loudness(low, rate=48000) - loudness(sine, rate=48000) < -5  # the second filter
    high = np.sin(2 * np.pi * 6000 * np.arange(3 * 48000) / 48000)
    assert (
        abs(loudness(high, rate=48000) - loudness(sine, rate=48000) - 3.3) < 0.2
    )  # the first; 997 Hz has 0.7 of its 4 dB
    quiet_half = np.concatenate([sine, 10 ** (-30 / 20) * sine])
    assert (
        abs(loudness(quiet_half, rate=48000) - loudness(sine, rate=48000)) < 0.3
    )  # below the relative gate


def test_matching():
    sounds = {name: (i + 0.1) * waves for i, (name, waves) in enumerate(tones(seconds=1).items())}
    even, level = match_loudness(sounds, rate=16000)
    assert all(
        abs(loudness(w, rate=16000) - level) < 0.05 for waves in even.values() for w in waves
    )
    click = np.zeros(16000)
    click[8000] = 1
    even, level = match_loudness({"a": click[None], **sounds}, rate=16000)
    assert level < -23 and max(np.abs(w).max() for w in even.values()) <= 1
    with pytest.raises(InputError, match="silent"):
        match_loudness({"a": np.zeros((1, 16000))}, rate=16000)


def test_real_clips_go_through_the_labels():
    clips = load_clips("digits")
    rows = real_rows(clips, 25)
    assert (
        len(set(rows)) == 25
        and (clips.label[rows] == np.arange(25) % 10).all()
        and (clips.split[rows] == 2).all()
    )
    with pytest.raises(InputError, match="items at most"):
        real_rows(clips, 1000)


def test_files_and_key(made):
    out, key = made
    for sound in key["sounds"].values():
        wave, rate = soundfile.read(out / sound["file"])
        assert rate == 16000 and np.allclose(
            wave, tones()[sound["maker"]][sound["item"]], atol=1e-4
        )
    assert read_key(out / KEY) == json.loads(json.dumps(key)) and len(key["sounds"]) == 6
    assert [sum(s["mode"] == m for s in key["screens"]) for m in MODES] == [2, 3, 2]


def test_the_page_is_blind_and_asks_for_nothing(made):
    out, key = made
    text = (out / PAGE).read_text()
    for word in (*MAKERS[1:], '"real"', "secret", '"right"', '"seed"'):
        assert word not in text
    assert (
        "http:" not in text
        and "https:" not in text
        and "default-src 'none'" in text
        and "Do &lt;you&gt; hear?" in text
    )
    test = json.loads(text.split('id="test">')[1].split("</script>")[0])
    assert set(test["sounds"]) == set(key["sounds"]) and list(test["sounds"]) == sorted(
        test["sounds"]
    )
    assert all(sound.startswith("data:audio/mpeg;base64,") for sound in test["sounds"].values())
    again = write_test(
        out.parent / "again",
        tones(),
        {},
        rate=16000,
        level=None,
        modes=MODES,
        repeats=1,
        title="",
        seed=3,
    )
    assert (
        again["sounds"] == key["sounds"]
        and again["screens"] == key["screens"]
        and again["test"] == key["test"]
    )
    assert (
        write_test(
            out.parent / "other",
            tones(),
            {},
            rate=16000,
            level=None,
            modes=MODES,
            repeats=1,
            title="",
            seed=4,
        )["sounds"]
        != key["sounds"]
    )


def contrast(one, two):
    "WCAG's ratio of two colours (r, g, b), 0…255."

    def luminance(c):
        c = np.array(c) / 255
        return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ (
            0.2126,
            0.7152,
            0.0722,
        )

    a, b = sorted((luminance(one), luminance(two)))
    return (b + 0.05) / (a + 0.05)


PAIRS = [
    ("ink", "paper", 4.5),
    ("ink", "card", 4.5),
    ("soft", "paper", 4.5),
    ("soft", "card", 4.5),
    ("on", "accent", 4.5),
    ("ink", "wash", 4.5),
    ("warn", "card", 4.5),
    ("edge", "paper", 3),
    ("edge", "card", 3),
    ("accent", "paper", 3),
    ("accent", "card", 3),
    ("accent", "wash", 3),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme):
    "Text 4.5, edges of controls 3 (WCAG 2.2, 1.4.3 and 1.4.11), from the page's own colours."
    text = (
        listening.TEMPLATE.read_text().split(":root {")[1 if scheme == "light" else 2].split("}")[0]
    )
    colour = {
        name.strip(" -"): [int(value.strip()[i : i + 2], 16) for i in (1, 3, 5)]
        for name, value in (part.split(":") for part in text.split(";") if "#" in part)
    }
    low = {
        (a, b): round(contrast(colour[a], colour[b]), 2)
        for a, b, least in PAIRS
        if contrast(colour[a], colour[b]) < least
    }
    assert not low


def hear(page, key):
    "Play one sound by its key, and wait until it is marked as heard."
    heard = page.locator(".tick:not(:empty)").count()
    page.keyboard.press(key)
    page.locator(".tick:not(:empty)").nth(heard).wait_for(state="attached", timeout=20_000)


def answer_screen(page, mode):
    "One screen, by keyboard only. Returns what was chosen."
    if mode == "rating":
        values = {}
        for k in range(page.locator(".row").count()):
            hear(page, str(k + 1))  # goes to the slider too
            for _ in range(k + 1):
                page.keyboard.press("ArrowRight")
            values[page.locator("button.play").nth(k).get_attribute("data-sound")] = 50 + k + 1
        return values
    if mode == "mos":
        hear(page, "Space")
        page.keyboard.press("4")
        return {page.locator("button.play").get_attribute("data-sound"): 4}
    for letter in "abx":
        hear(page, letter)
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.type") != "radio":
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    return {"choice": page.evaluate("document.activeElement.value")}


def test_a_whole_test_by_keyboard(made, page, tmp_path, capsys):
    out, key = made
    page.goto((out / PAGE).as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "play"
    page.keyboard.press("Tab")
    page.keyboard.type("Ann")
    page.keyboard.press("Enter")
    chosen, modes = [], []
    for i in range(len(key["screens"])):
        assert (
            page.locator("#place").inner_text() == f"{i + 1} of {len(key['screens'])}"
            and page.evaluate("document.activeElement.id") == "title"
        )
        names = page.evaluate(
            "[...document.querySelectorAll('button, input, progress')]"
            ".filter(e => e.offsetParent)"
            ".map(e => e.ariaLabel || e.textContent.trim() || e.labels?.[0]?.textContent)"
        )
        assert names and all(names)
        title = page.locator("h1").inner_text()
        mode = "abx" if "X" in title else "rating" if "each" in title else "mos"
        page.keyboard.press("Enter")  # nothing is answered yet: it must not go on
        assert "Not heard" in page.locator("#hint").inner_text() and page.locator(
            "#place"
        ).inner_text().startswith(f"{i + 1} ")
        page.evaluate("document.getElementById('title').focus()")
        chosen.append(answer_screen(page, mode))
        modes.append(mode)
        if i == 2:
            assert (
                page.evaluate(
                    "getComputedStyle(document.activeElement.closest('label')"
                    " ?? document.activeElement).outlineStyle"
                )
                == "solid"
            )
        page.keyboard.press("Enter")
    assert modes == sorted(modes, key=MODES.index)
    page.wait_for_selector("#save")
    page.keyboard.press("Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    sent = tmp_path / "sent"
    download.value.save_as(sent / download.value.suggested_filename)
    (answer,), left = read_answers(sent, read_key(out / KEY))
    assert not left and not page.faults and answer["name"] == "Ann"
    order = answer["order"]
    assert [answer["answers"][i]["values"] for i in order] == chosen and sorted(order) == list(
        range(len(order))
    )
    found = analyse_answers(sent, out / KEY, tmp_path / "analysis")
    assert (
        found["listeners"] == 1
        and found["mos"]["means"][REAL][0] == 4
        and (tmp_path / "analysis" / "analysis.png").exists()
    )
    assert math.isclose(np.mean([e[0] for e in found["rating"]["means"].values()]), 52)
    main(["answers", str(sent), "--key", str(out / KEY), "--out", str(tmp_path / "again")])
    assert capsys.readouterr().out.startswith(
        report(found)
    ) and "1 listener; 0 files left out" in report(found)
    assert "Infinity" not in (tmp_path / "again" / "analysis.json").read_text() and not list(
        out.glob("analysis*")
    )


def test_on_a_phone_and_taken_up_again(made, browser):
    out, key = made
    context = browser.new_context(
        viewport={"width": 360, "height": 740},
        has_touch=True,
        is_mobile=True,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto((out / PAGE).as_uri())
    page.get_by_role("button", name="Begin").tap()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = page.evaluate(
        "[...document.querySelectorAll('button, input')]"
        ".filter(e => e.offsetParent && e.getBoundingClientRect().height < 44).length"
    )
    assert small == 0
    assert (
        page.evaluate("getComputedStyle(document.querySelector('button')).transitionDuration")
        == "0s"
    )
    page.locator("button.play").first.tap()
    page.locator(".tick:not(:empty)").wait_for(state="attached", timeout=20_000)
    page.reload()
    page.get_by_role("button", name="Go on where I stopped").tap()
    page.locator(".tick:not(:empty)").wait_for(state="attached", timeout=20_000)
    assert page.locator(".tick:not(:empty)").count() == 1
    context.close()


@pytest.fixture(scope="module")
def known():
    "A key of ten items, and the answers of thirty simulated listeners."
    ids = {name: [f"{name}{i}" for i in range(10)] for name in MAKERS}
    rng = np.random.default_rng(0)
    key = dict(
        format=1,
        test="made-up",
        screens=screens_of(ids, modes=MODES, repeats=10, rng=rng, seconds=1),
        sounds={i: dict(maker=m, item=k) for m in ids for k, i in enumerate(ids[m])},
    )
    key = json.loads(json.dumps(key))
    return key, simulated_answers(key, {REAL: 80, CODED: 80, "secret_run": 30}, listeners=30)


def test_every_maker_is_asked_about_the_same_items(known):
    key, _ = known
    rng, ids = np.random.default_rng(1), {m: [f"{m}{i}" for i in range(10)] for m in MAKERS}
    for mode in ("mos", "abx"):
        screens = screens_of(ids, modes=[mode], repeats=3, rng=rng, seconds=1)
        asked = {}
        for screen in screens:
            for s in screen["sounds"][:2]:
                asked.setdefault(key["sounds"][s]["maker"], set()).add(key["sounds"][s]["item"])
        assert len(asked) == 3 and len({frozenset(items) for items in asked.values()}) == 1


def test_power_is_said_when_a_test_is_made(made):
    _, key = made
    assert set(key["power"]) == set(MODES) and set(key["power"]["rating"]) == {"12", "24"}
    text = power_lines(key["power"])
    assert text.count("12 listeners") == text.count("24 listeners") == 3
    assert text.count("nothing for certain") == 6  # two items
    text = power_lines({"rating": {"12": 9.94}, "abx": {"24": 0.2}})
    assert "12 listeners: ratings find differences of 9.9 points of 100" in text
    assert "24 listeners: ABX finds 70% right" in text


def test_analysis_finds_what_was_put_in(known):
    key, answers = known
    found = analyse(answers, key)
    for mode in ("rating", "mos"):
        corrected = {(p["one"], p["other"]): p["holm"] for p in found[mode]["pairs"]}
        assert corrected[REAL, "secret_run"] < 0.001 and corrected[CODED, "secret_run"] < 0.001
        assert corrected[REAL, CODED] > 0.05
    assert 22 < found["rating"]["means"]["secret_run"][0] < 38
    assert found["simulated"] == 30 and "SIMULATED" in report(found)
    right = abx_results(answers, key)
    assert right["real and secret_run"]["holm"] < 1e-4
    assert right["real and real, Griffin–Lim"]["holm"] > 0.01


def test_files_that_do_not_count_are_named(known, tmp_path):
    key, answers = known

    def put(name, content):
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))

    def but(i=0, **changes):
        return {**json.loads(json.dumps(answers[i])), **changes}

    put("a_good.json", but(0, finished="2"))
    put("b_sooner.json", but(0, finished="1"))
    bad = {
        "cut.json": json.dumps(answers[1])[:99],
        "empty.json": "",
        "list.json": [1],
        "photo.jpg": "\x00",
        "other.json": but(test="x"),
        "nobody.json": but(number=""),
        "short.json": but(answers=[]),
    }
    for name, change in {
        "range.json": 101,
        "nan.json": math.nan,
        "text.json": "80",
        "true.json": True,
    }.items():
        bad[name] = but(1)
        first = next(iter(bad[name]["answers"][0]["values"]))
        bad[name]["answers"][0]["values"][first] = change
    abx = next(i for i, s in enumerate(key["screens"]) if s["mode"] == "abx")
    bad["choice.json"] = but(1)
    bad["choice.json"]["answers"][abx]["values"]["choice"] = key["screens"][abx]["sounds"][2]
    bad["unknown.json"] = but(1)
    bad["unknown.json"]["answers"][0]["values"]["00000000"] = 5
    for name, content in bad.items():
        put(name, content)
    counted, left = read_answers(tmp_path, key)
    assert [a["finished"] for a in counted] == ["1"]
    assert {name for name, _ in left} == set(bad) | {"a_good.json"} and dict(left)[
        "a_good.json"
    ] == "the same listener as b_sooner.json"
    (tmp_path / "a_good.json").unlink()
    (tmp_path / "b_sooner.json").unlink()
    with pytest.raises(InputError, match="no answers"):
        read_answers(tmp_path, key)
    with pytest.raises(InputError, match="key.json"):
        read_key(tmp_path / "cut.json")


def test_what_cannot_be_is_refused(made, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for words, options in (
        ("choose another folder", dict(out=made[0])),
        ("rating, mos, abx", dict(modes=("music",))),
        ("items 0", dict(items=0)),
        ("items 1", dict(items=1, modes=("abx",))),
        ("nowhere", dict(runs=[tmp_path / "nowhere"])),
        ("no runs", dict(runs=[])),
        ("no trained model", dict(items=2)),
    ):
        with pytest.raises(InputError, match=words):
            listening.listening_test(
                **{
                    "runs": [run],
                    "data": "digits",
                    "out": tmp_path / "out",
                    "quiet": True,
                    **options,
                }
            )
    assert not (tmp_path / "out").exists()


def test_ten_makers_of_ten_items_fit_a_phone(tmp_path):
    rng = np.random.default_rng(0)
    loud = sequences(
        rng.normal(0, 0.2, (50, 2**14)).astype(np.float32), rate=16000
    )  # noise: the most that MP3 can need
    key = write_test(
        tmp_path / "big",
        {f"maker {k}": np.roll(np.tile(loud, (2, 1))[:10], k, 1) for k in range(10)},
        {},
        rate=16000,
        level=None,
        modes=("rating",),
        repeats=1,
        title="",
        seed=0,
    )
    assert key["bytes"] == (tmp_path / "big" / PAGE).stat().st_size < 15e6
