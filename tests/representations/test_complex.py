# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Representations with phase: exact on white noise, and a sine has one frequency."

import numpy as np
import pytest

from audiosynth.data.sources import load_clips
from audiosynth.representations.base import Waveform
from audiosynth.representations.complex import MagIF, MagPhase, RealImaginary

NOISE = np.random.default_rng(0).uniform(-1, 1, (2, 2**14)).astype(np.float32)


@pytest.mark.parametrize(
    "make, tolerance", [(Waveform, 0), (RealImaginary, 1e-5), (MagPhase, 1e-5), (MagIF, 1e-4)]
)
def test_white_noise_comes_back_to_the_last_sample(make, tolerance):
    "All 257 bins, edges included, on the statistics of the noise and on those of other sounds."
    for how in (
        [{}]
        if make is Waveform
        else [dict(nyquist=True), dict(nyquist=True, frame=512, hop=256, window="hann")]
        + ([{}] if make is RealImaginary else [])
    ):
        for training in (NOISE, load_clips("digits").waves(range(16))):
            made = make(**how).fit([training])
            off = np.abs(made.decode(made.encode(NOISE)) - NOISE)
            size = np.sqrt((NOISE**2).mean())
            assert np.sqrt((off**2).mean()) <= tolerance * size
            assert (
                off.max() <= 5 * tolerance
                and off[:, :64].max() <= 5 * tolerance
                and off[:, -64:].max() <= 5 * tolerance
            )


@pytest.mark.parametrize("make", [MagPhase, MagIF])
def test_what_the_last_bin_costs(make):
    """With 256 bins: half of 1/512 of white noise, as the overlapping frames know the rest; almost
    nothing of speech and piano."""
    for name, most_db in (("noise", -29), ("digits", -45), ("piano", -60)):
        wave = (
            NOISE
            if name == "noise"
            else load_clips(name).waves(load_clips(name).where("train")[::40])
        )
        made = make().fit([wave])
        lost = 10 * np.log10(
            ((made.decode(made.encode(wave)) - wave) ** 2).numpy().sum() / (wave**2).sum()
        )
        assert lost < most_db, (name, lost)
        assert name != "noise" or lost > -32


def test_a_sine_has_one_frequency_and_a_chirp_a_line():
    time = np.arange(2**14) / 16000
    sine = np.sin(2 * np.pi * 440 * time)[None].astype(np.float32)
    made = MagIF().fit([NOISE])
    steps = made.encode(sine)[0, 4:-4, 13:16, 1].numpy()  # bin 14 is 437.5 Hz
    assert np.abs(steps - steps[:1]).max() < 1e-3
    wanted = 2 * 440 * 128 / 16000
    assert np.abs(steps - (wanted - 2 * np.round(wanted / 2))).max() < 1e-3
    for wrong in (NOISE[:1], np.zeros_like(sine) + sine[:, ::-1] * NOISE[:1]):
        assert np.abs(np.diff(made.encode(wrong)[0, 4:-4, 13:16, 1], axis=0)).max() > 0.1
    low_hz, high_hz = 1000, 1400
    chirp = np.sin(2 * np.pi * (low_hz * time + (high_hz - low_hz) / 2 / time[-1] * time**2))[
        None
    ].astype(np.float32)
    frequency = made.encode(chirp)[0, :, :, 1].numpy()
    centre = np.arange(128) * 128 + 64 - 64  # between the middles of a frame and of the one before
    hz = low_hz + (high_hz - low_hz) / time[-1] * centre / 16000
    ridge = np.round(hz / 31.25).astype(int)
    step = np.unwrap(np.pi * frequency[np.arange(128), ridge])[4:-4] / np.pi
    line = np.polyfit(np.arange(4, 124), step, 1)
    assert np.abs(step - np.polyval(line, np.arange(4, 124))).max() < 1e-2
    assert np.isclose(
        line[0], 2 * 128 * (high_hz - low_hz) / time[-1] / 16000 * 128 / 16000, rtol=1e-2
    )


def test_the_running_sum_keeps_its_turns():
    made = MagIF(2**16, nyquist=True)  # 512 frames
    wave = np.random.default_rng(4).uniform(-1, 1, (1, 2**16)).astype(np.float32)
    made.fit([wave])
    off = made.decode(made.encode(wave)) - wave
    assert np.sqrt((off.numpy() ** 2).mean() / (wave**2).mean()) < 1e-4
