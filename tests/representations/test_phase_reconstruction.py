# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Finding a phase: near the target, the same alone and in a batch, and not for a wrong answer."

import numba
import numpy as np
import pytest
import tensorflow as tf

from audiosynth.data.files import InputError
from audiosynth.data.sources import load_clips
from audiosynth.representations import phase_reconstruction as phase
from audiosynth.representations.phase_reconstruction import (
    GAUSSIANS,
    PHASES,
    griffin_lim,
    machine_code,
    pghi,
    phase_gradients,
    reconstruct,
)
from audiosynth.representations.stft import WINDOWS, istft, spectral_convergence, stft

SAMPLES = 2**14


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).uniform(-1, 1, (2, SAMPLES)).astype(np.float32)


@pytest.fixture(scope="module", params=["digits", "piano"])
def recordings(request):
    clips = load_clips(request.param)
    return clips.waves(clips.where("test")[:24])


def far(wanted, wave, **how):
    return spectral_convergence(wanted, np.abs(stft(wave, **how)))


def test_griffin_lim_has_no_spike_at_the_edges(noise):
    wanted = np.abs(stft(noise))
    wave = griffin_lim(wanted).numpy()
    edges = np.concatenate([wave[:, :128], wave[:, -128:]], axis=1)
    assert np.abs(edges).max() < 1.1 * np.abs(wave[:, 128:-128]).max()
    assert 0.7 < edges.std() / wave.std() < 1.3

    def near(wave):
        return spectral_convergence(wanted, np.abs(stft(wave))).max()

    assert near(wave) < -15 and near(griffin_lim(wanted, momentum=0.0)) > near(wave) + 2
    order = np.random.default_rng(1).permutation(128)
    for wrong in (np.zeros_like(noise), griffin_lim(wanted[:, order]), noise[::-1]):
        assert spectral_convergence(wanted, np.abs(stft(wrong))).min() > -6


def test_griffin_lim_depends_on_the_seed_and_not_on_the_batch(noise):
    wanted = np.abs(stft(noise))
    both = griffin_lim(wanted, iterations=4).numpy()
    assert np.array_equal(both, griffin_lim(wanted, iterations=4))
    alone = np.abs(griffin_lim(wanted[1:], iterations=4)[0] - both[1]).max()
    assert alone < 1e-4 if tf.config.list_physical_devices("GPU") else alone == 0
    assert np.abs(griffin_lim(wanted, iterations=4, seed=1) - both).max() > 0.1
    assert np.abs(griffin_lim(np.zeros_like(wanted), iterations=4)).max() == 0


def test_griffin_lim_goes_on_from_a_first_phase(noise):
    "From the true phase there is nothing left to do."
    spectrum = stft(noise).numpy()
    found = griffin_lim(np.abs(spectrum), first=np.angle(spectrum), iterations=3)
    assert np.abs(found - noise).max() < 1e-3


def test_every_window_has_its_gaussian():
    assert set(GAUSSIANS) == set(WINDOWS)
    share = np.arange(512) / 512 - 0.5
    for window, width in GAUSSIANS.items():
        wanted = WINDOWS[window] + (1 - WINDOWS[window]) * np.cos(2 * np.pi * share)
        distance = [
            ((np.exp(-np.pi * share**2 / (width * f)) - wanted) ** 2).sum()
            for f in (0.999, 1.0, 1.001)
        ]
        assert distance[1] == min(distance)


def test_phase_gradients_of_a_gaussian_window_are_exact():
    """A chirp and a sine under a Gaussian window: the gradient of the log-magnitude is that of the
    phase, but for the grid."""
    frame, hop = 512, 32
    width = GAUSSIANS["hann"] * frame**2
    time = np.arange(2048)
    wave = np.cos(2 * np.pi * (0.05 * time + 3e-5 * time**2)) + 0.5 * np.cos(2 * np.pi * 0.3 * time)
    window = np.exp(-np.pi * (np.arange(frame) - frame / 2) ** 2 / width)
    framed = np.lib.stride_tricks.sliding_window_view(wave, frame)[::hop] * window
    spectrum = np.fft.rfft(framed)
    along, up = phase_gradients(np.log(np.abs(spectrum)), frame=frame, hop=hop, window="hann")
    loud = np.abs(spectrum[:-1, :-1]) > 0.1 * np.abs(spectrum).max()
    for slope, neighbour, true in (
        ((along[:-1, :-1] + along[1:, :-1]) / 2, spectrum[1:, :-1], "frame"),
        ((up[:-1, :-1] + up[:-1, 1:]) / 2, spectrum[:-1, 1:], "bin"),
    ):
        step = np.angle(neighbour * spectrum[:-1, :-1].conj())
        off = np.abs(np.angle(np.exp(1j * (step - slope))))[loud]
        assert np.median(off) < 0.02, true
        assert np.median(np.abs(np.angle(np.exp(1j * (step + slope))))[loud]) > 0.2


def test_pghi_comes_near_before_any_iteration(recordings):
    wanted = np.abs(stft(recordings))
    found = istft(wanted * np.exp(1j * pghi(wanted).numpy())).numpy()
    at_once, later = far(wanted, found), far(wanted, reconstruct(wanted, iterations=16))
    assert np.abs(found - reconstruct(wanted, phase="pghi")).max() < 1e-4
    assert at_once.mean() < -20 and later.mean() < -25 and later.max() < -18
    order = np.random.default_rng(1).permutation(128)
    for wrong in (
        np.zeros_like(found),
        found[::-1],
        reconstruct(wanted[:, order], phase="pghi"),
        reconstruct(wanted, phase="griffin_lim", iterations=0),
    ):
        assert far(wanted, wrong).mean() > -8


def test_pghi_depends_on_the_seed_and_not_on_the_batch(noise):
    wanted = np.abs(stft(noise))
    both = pghi(wanted).numpy()
    assert both.shape == wanted.shape and both.dtype == np.float32
    assert np.array_equal(both, pghi(wanted)) and np.array_equal(both[1:], pghi(wanted[1:]))
    assert np.array_equal(both[1], pghi(np.stack([1e6 * wanted[0], wanted[1]]))[1])
    assert not np.array_equal(both, pghi(wanted, seed=1))
    assert np.allclose(np.exp(1j * both), np.exp(1j * pghi(3 * wanted).numpy()), atol=1e-3)


def test_silence_and_what_is_no_sound_pass():
    for magnitude in (
        np.zeros((1, 128, 257)),
        np.full((1, 128, 257), 1e-4),
        np.zeros((0, 128, 257)),
        np.eye(128, 257)[None],
    ):
        for name in PHASES:
            assert np.isfinite(
                reconstruct(magnitude.astype(np.float32), phase=name, iterations=2)
            ).all()
    assert np.abs(reconstruct(np.zeros((1, 128, 257), np.float32))).max() == 0
    assert pghi(np.full((1, 128, 257), np.nan, np.float32)).shape == (1, 128, 257)


@pytest.mark.parametrize(
    "frame, hop, window", [(1024, 256, "hann"), (256, 64, "hamming"), (512, 256, "hann")]
)
def test_other_settings(noise, frame, hop, window):
    how = dict(frame=frame, hop=hop, window=window)
    wanted = np.abs(stft(noise, **how))
    chance = far(wanted, reconstruct(wanted, phase="fast_griffin_lim", iterations=0, **how), **how)
    assert (far(wanted, reconstruct(wanted, phase="pghi", **how), **how) < chance - 1).all()


def test_inside_a_graph_with_an_unknown_batch(noise):
    graph = tf.function(
        lambda magnitude: reconstruct(magnitude, iterations=2),
        input_signature=[tf.TensorSpec((None, 128, 257))],
    )
    wanted = np.abs(stft(noise))
    assert np.abs(graph(wanted) - reconstruct(wanted, iterations=2)).max() < 1e-4
    assert graph(wanted[:1]).shape == (1, SAMPLES)


def test_unknown_names_are_refused(noise):
    with pytest.raises(InputError, match="pghi_fast_griffin_lim"):
        reconstruct(np.abs(stft(noise)), phase="magic")


def test_it_runs_where_nothing_can_be_kept(monkeypatch):
    """Neither the package's folder nor the user's can be written: compiled again in each process,
    and the same."""
    from numba.core import caching

    wanted = np.random.default_rng(0).uniform(size=(1, 8, 257)).astype(np.float32)
    usual = pghi(wanted).numpy()
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    integrate = phase._heap_integration.py_func
    with pytest.raises(RuntimeError):
        numba.njit(cache=True)(integrate)
    monkeypatch.setattr(phase, "_heap_integration", machine_code(integrate))
    assert np.array_equal(pghi(wanted), usual) and not phase._heap_integration.stats.cache_path
