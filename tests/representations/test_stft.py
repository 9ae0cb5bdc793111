# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"The transforms on noise, edges included, with every tolerance tried on wrong answers."

import numpy as np
import pytest
import tensorflow as tf

from audiosynth.data.files import InputError
from audiosynth.representations.stft import (
    EPSILON,
    istft,
    log_magnitude,
    magnitude_of,
    mel_inverse,
    mel_matrix,
    overlap_add,
    spectral_convergence,
    stft,
)

SETTINGS = [
    (512, 128, "hamming"),
    (512, 64, "hamming"),
    (512, 256, "hamming"),
    (256, 128, "hamming"),
    (1024, 256, "hamming"),
    (1024, 128, "hamming"),
    (512, 256, "hann"),
    (512, 128, "hann"),
]
SAMPLES = 2**14


@pytest.fixture
def noise():
    return np.random.default_rng(0).uniform(-1, 1, (2, SAMPLES)).astype(np.float32)


@pytest.mark.parametrize("frame, hop, window", SETTINGS)
def test_round_trip_on_noise(noise, frame, hop, window):
    how = dict(frame=frame, hop=hop, window=window)
    spectrum = stft(noise, **how)
    assert spectrum.shape == (2, SAMPLES // hop, frame // 2 + 1)

    def error(spectrum):
        return np.abs(istft(spectrum, samples=SAMPLES, **how) - noise).max()

    assert error(spectrum) < 1e-5
    order = np.random.default_rng(1).permutation(SAMPLES // hop)
    for wrong in (
        tf.zeros_like(spectrum),
        tf.gather(spectrum, order, axis=1),
        tf.math.conj(spectrum),
        spectrum[::-1],
    ):
        assert error(wrong) > 0.1


@pytest.mark.parametrize("frame, hop", [(512, 128), (512, 512), (256, 96), (1024, 64), (6, 4)])
def test_overlap_add_is_tensorflows(frame, hop):
    "Where the hop does not divide the frame, too; and its gradient is the frames of the gradient."
    framed = np.random.default_rng(0).normal(size=(2, 9, frame)).astype(np.float32)
    theirs = tf.signal.overlap_and_add(framed, hop)
    found = overlap_add(framed, hop).numpy()
    assert (
        np.abs(found[:, : theirs.shape[1]] - theirs).max() < 1e-5
        and not found[:, theirs.shape[1] :].any()
    )
    upstream = np.random.default_rng(1).normal(size=theirs.shape).astype(np.float32)
    framed = tf.constant(framed)
    with tf.GradientTape() as tape:
        tape.watch(framed)
        total = tf.reduce_sum(overlap_add(framed, hop)[:, : upstream.shape[1]] * upstream)
    assert np.abs(tape.gradient(total, framed) - tf.signal.frame(upstream, frame, hop)).max() < 1e-5


def test_a_sine_is_one_bin_all_the_time():
    sine = np.sin(2 * np.pi * 1000 * np.arange(SAMPLES) / 16000)[None]
    magnitude = magnitude_of(stft(sine))[0].numpy()
    assert (magnitude[2:-2].argmax(axis=1) == 32).all()
    assert np.allclose(magnitude[2:-2, 32], 0.54 * 512 / 2, rtol=1e-3)


@pytest.mark.parametrize("frame, hop, window", SETTINGS)
def test_the_spectrum_is_librosas_and_scipys(noise, frame, hop, window):
    librosa, signal = pytest.importorskip("librosa"), pytest.importorskip("scipy.signal")
    padded, made = np.pad(noise[1], (frame - hop) // 2), signal.get_window(window, frame)
    how = dict(window=made, nperseg=frame, noverlap=frame - hop, boundary=None, padded=False)
    ours = stft(noise, frame=frame, hop=hop, window=window)[1].numpy().T
    for theirs in (
        librosa.stft(padded, n_fft=frame, hop_length=hop, window=window, center=False),
        signal.stft(padded, **how)[2] * made.sum(),
    ):
        assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()
        assert np.abs(ours[:, ::-1] - theirs).max() > np.abs(theirs).max() / 10


def test_the_spectrum_is_numpys(noise):
    padded = np.pad(noise[1], 192)
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(512) / 512)
    theirs = [np.fft.rfft(padded[start : start + 512] * window) for start in range(0, SAMPLES, 128)]
    assert np.abs(stft(noise)[1] - np.array(theirs)).max() < 1e-4


@pytest.mark.parametrize(
    "wrong, words",
    [
        (dict(frame=512, hop=512, window="hann"), "no inverse"),
        (dict(frame=511), "even"),
        (dict(hop=0), "hop 0"),
        (dict(hop=1024), "hop 1024"),
        (dict(hop=100), "multiple"),
        (dict(window="triangle"), "triangle"),
    ],
)
def test_settings_without_an_inverse_are_refused(noise, wrong, words):
    with pytest.raises(InputError, match=words):
        istft(stft(noise, **wrong), **wrong)


def test_a_length_that_is_no_multiple_of_the_hop_is_refused(noise):
    with pytest.raises(InputError, match="16383"):
        stft(noise[:, 1:])


def test_silence_has_finite_gradients():
    silence = tf.zeros((1, SAMPLES))
    for function in (magnitude_of, log_magnitude):
        with tf.GradientTape() as tape:
            tape.watch(silence)
            total = tf.reduce_sum(function(stft(silence)))
        assert np.isfinite(tape.gradient(total, silence)).all()
    assert np.allclose(log_magnitude(stft(silence)), 0.5 * np.log(EPSILON))


def test_gradients_of_the_round_trip(noise):
    "istft(stft(x)) is the identity, so the gradient of its square is 2 x."
    wave = tf.constant(noise)
    with tf.GradientTape() as tape:
        tape.watch(wave)
        total = tf.reduce_sum(istft(stft(wave)) ** 2)
    assert np.abs(tape.gradient(total, wave) - 2 * noise).max() < 1e-4


@pytest.mark.parametrize(
    "bins, mels, high_hz", [(257, 64, 8000), (513, 64, 4000), (513, 128, 8000)]
)
def test_mel_filters_are_librosas(bins, mels, high_hz):
    librosa = pytest.importorskip("librosa")
    theirs = librosa.filters.mel(
        sr=16000, n_fft=2 * (bins - 1), n_mels=mels, fmin=40, fmax=high_hz, htk=True, norm=None
    )
    assert np.abs(mel_matrix(bins=bins, mels=mels, high_hz=high_hz) - theirs.T).max() < 1e-5


def test_filters_without_a_bin_or_a_band_are_refused():
    with pytest.raises(InputError, match="hold no bin"):
        mel_matrix(bins=257, mels=128, high_hz=4000)
    for band in (dict(low_hz=-1), dict(high_hz=9000), dict(low_hz=500, high_hz=400)):
        with pytest.raises(InputError):
            mel_matrix(**band)


def test_mel_inverse_is_not_negative_and_keeps_the_mel_values():
    matrix = mel_matrix(bins=513, mels=64)
    magnitude = np.random.default_rng(0).uniform(0, 1, (2, 64, 513)).astype(np.float32)
    mel = magnitude @ matrix
    found = mel_inverse(mel, matrix).numpy()
    assert found.min() >= 0 and spectral_convergence(mel, found @ matrix).max() < -30
    for wrong in (np.zeros_like(found), found[:, :, ::-1], found * 0.5):
        assert spectral_convergence(mel, wrong @ matrix).min() > -30
    mel = np.random.default_rng(2).uniform(0, 1, (1, 8, 64)).astype(np.float32) ** 8
    shuffled = mel[:, np.r_[1:8, 0]]
    assert spectral_convergence(mel, mel_inverse(shuffled, matrix) @ matrix).min() > -10
    assert np.abs(mel_inverse(np.zeros_like(mel), matrix)).max() == 0
