# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""The log-magnitude of 64 frames at once: the same as in any other way, for every set-up, number of
clips and bad sample."""

import gc
import threading

import librosa
import numpy as np
import pytest
import tensorflow as tf

from audiosynth.data.files import InputError
from audiosynth.representations import simd_log_magnitude as simd
from audiosynth.representations.registry import LogMagnitude
from audiosynth.representations.simd_log_magnitude import simd_applies, simd_log_magnitude
from audiosynth.representations.stft import EPSILON, log_magnitude, stft, window_samples

SAMPLES = 2**12


def noise(clips, samples=SAMPLES, seed=0):
    return np.random.default_rng(seed).normal(scale=0.1, size=(clips, samples)).astype(np.float32)


def flat(bins):  # a normalisation that cuts nothing off
    return dict(mean=np.linspace(-2, 0, bins), divisor=np.linspace(9, 12, bins))


@pytest.mark.parametrize(
    "frame,hop,samples,nyquist",
    [
        (2, 2, 64, True),
        (4, 2, 64, False),
        (8, 4, 256, True),
        (64, 32, 2048, False),
        (128, 96, 960, True),
        (256, 128, 2**13, False),
        (512, 64, 2**12, True),
        (512, 128, 2**14, False),
        (512, 256, 2**12, False),
        (512, 512, 2**12, True),
        (1024, 128, 2**14, True),
        (2048, 512, 2**14, False),
    ],
)
@pytest.mark.parametrize("window", ["hamming", "hann"])
def test_it_is_numpys_and_tensorflows(frame, hop, samples, nyquist, window):
    waves, bins = noise(3, samples), frame // 2 + nyquist
    how = flat(bins)
    found = simd_log_magnitude(waves, frame=frame, hop=hop, window=window, **how)
    theirs = log_magnitude(stft(waves, frame=frame, hop=hop, window=window))[:, :, :bins].numpy()
    padded = np.pad(waves, [(0, 0), ((frame - hop) // 2,) * 2]).astype(np.float64)
    framed = np.lib.stride_tricks.sliding_window_view(padded, frame, axis=1)[
        :, ::hop
    ] * window_samples(window, frame)
    exact = 0.5 * np.log(np.abs(np.fft.rfft(framed))[:, :, :bins] ** 2 + EPSILON)
    for level in (theirs, exact):
        wanted = np.clip((level - how["mean"]) / how["divisor"], -1, 1)
        assert found.shape == wanted.shape and found.dtype == np.float32
        assert np.abs(found - wanted).max() < 1e-3 and np.abs(found - wanted).mean() < 1e-6
        assert np.abs(found[:, ::-1] - wanted).mean() > 0.01 or frame == 2  # not by being blind


def test_it_is_librosas():
    wave = noise(1, 2**14)
    theirs = librosa.stft(
        np.pad(wave[0], 192), n_fft=512, hop_length=128, window="hamming", center=False
    ).T
    found = 9 * simd_log_magnitude(wave, mean=np.zeros(257), divisor=np.full(257, 9))[0]
    assert np.abs(found - np.log(np.sqrt(np.abs(theirs) ** 2 + EPSILON))).max() < 5e-3


@pytest.mark.parametrize("clips", [0, 1, 2, 7, 33])
def test_any_number_of_clips_each_by_itself(clips):
    waves = noise(clips)
    found = simd_log_magnitude(waves, **flat(256))
    assert found.shape == (clips, 32, 256) and (clips == 0 or found.ctypes.data % 64 == 0)
    for wave, spectrogram in zip(waves, found):
        assert np.array_equal(simd_log_magnitude(wave[None], **flat(256))[0], spectrogram)


@pytest.mark.parametrize("cores", [None, 1, 3, "unknown"])
def test_any_number_of_cores_and_callers(monkeypatch, cores):
    if cores:
        monkeypatch.setattr(simd.os, "cpu_count", lambda: None if cores == "unknown" else cores)
    waves, found = noise(20), {}
    wanted = simd_log_magnitude(waves, **flat(256))
    callers = [
        threading.Thread(
            target=lambda i=i: found.update({i: simd_log_magnitude(waves, **flat(256))})
        )
        for i in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 4 and all(np.array_equal(wanted, each) for each in found.values())


def test_a_bad_sample_spoils_the_frames_that_contain_it_and_no_other():
    waves = noise(2)
    waves[0, 2000] = np.nan
    found = simd_log_magnitude(waves, **flat(256))
    there = np.isnan(np.clip(log_magnitude(stft(waves))[:, :, :256].numpy(), -1, 1))
    assert there.any() and np.array_equal(np.isnan(found), there)


def test_too_loud_and_too_quiet_are_cut_off():
    waves = np.concatenate([np.zeros((1, SAMPLES), np.float32), 1e6 * noise(1)])
    found = simd_log_magnitude(waves, mean=np.zeros(256), divisor=np.ones(256))
    assert (found[0] == -1).all() and found[1].max() == 1 and found.min() == -1


def test_other_frames_and_shapes_are_refused_and_other_frames_use_tensorflow():
    waves = noise(2, 3072)
    assert not simd_applies(384) and not simd_applies(1) and simd_applies(512)
    with pytest.raises(InputError, match="frame 384: only powers of two"):
        simd_log_magnitude(waves, frame=384, hop=96, **flat(192))
    with pytest.raises(InputError, match="multiple of the hop"):
        simd_log_magnitude(waves[:, :-1], **flat(256))
    for clips, mean, divisor in (
        (waves[0], 256, 256),
        (waves, 255, 255),
        (waves, 258, 258),
        (waves, 256, 257),
    ):
        with pytest.raises(InputError, match="frame 512 needs"):
            simd_log_magnitude(clips, mean=np.zeros(mean), divisor=np.ones(divisor))
    made = LogMagnitude(3072, frame=384, hop=96).fit([waves])
    assert np.abs(made.encode(waves) - made.from_level(made.level(waves))).max() < 1e-4


@pytest.mark.parametrize("nyquist", [False, True])
def test_the_representation_uses_simd_outside_of_a_graph(monkeypatch, nyquist):
    waves, calls = noise(5), []
    made = LogMagnitude(SAMPLES, nyquist=nyquist).fit([waves])
    real = simd.simd_log_magnitude
    monkeypatch.setattr(
        "audiosynth.representations.magnitude.simd_log_magnitude",
        lambda *a, **k: calls.append(1) or real(*a, **k),
    )
    outside, inside = made.encode(waves), tf.function(made.encode)(waves)
    assert (
        len(calls) == 1
        and outside.shape == inside.shape == (5, *made.shape)
        and outside.dtype == tf.float32
    )
    assert np.abs(outside - inside).max() < 1e-3 and np.abs(outside - inside).mean() < 1e-6
    held = [made.encode(waves) for _ in range(20)]
    gc.collect()  # memory that TensorFlow took over lives as long as the tensor
    assert all(np.array_equal(each, outside) for each in held)
    assert made.encode(waves[:0]).shape == (0, *made.shape)


def test_a_gradient_with_simd_is_tensorflows():
    made = LogMagnitude(SAMPLES).fit([noise(4)])
    wave = tf.constant(np.concatenate([noise(2, seed=1), np.zeros((1, SAMPLES), np.float32)]))
    weight = tf.constant(np.random.default_rng(2).normal(size=(3, *made.shape)), tf.float32)

    def slope():
        with tf.GradientTape() as tape:
            tape.watch(wave)
            total = tf.reduce_sum(made.encode(wave) * weight)
        return tape.gradient(total, wave)

    ours, theirs = slope(), tf.function(slope)()
    assert np.isfinite(ours).all() and np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()
