# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Every representation with short clips, for the tests of this folder."

import numpy as np

from audiosynth.representations.base import Waveform
from audiosynth.representations.complex import MagIF, MagPhase, RealImaginary
from audiosynth.representations.half_rate import HalfRate
from audiosynth.representations.magnitude import LogMagnitude, MelLogMagnitude
from audiosynth.representations.mdct import Mdct
from audiosynth.representations.mel_complex import MelMagIF, MelStft
from audiosynth.representations.stft import spectral_convergence, stft

SAMPLES = 2**12


KINDS = {
    "waveform": lambda: Waveform(SAMPLES),
    "stft": lambda: RealImaginary(SAMPLES),
    "stft whole": lambda: RealImaginary(SAMPLES, nyquist=True, frame=256, hop=64, window="hann"),
    "stft compressed": lambda: RealImaginary(SAMPLES, exponent=0.3),
    "mdct": lambda: Mdct(SAMPLES),
    "half rate": lambda: HalfRate(SAMPLES, inner=Mdct(SAMPLES // 2, 8000, frame=256)),
    "log_magnitude": lambda: LogMagnitude(SAMPLES),
    "mag_phase": lambda: MagPhase(SAMPLES),
    "mag_phase whole": lambda: MagPhase(SAMPLES, nyquist=True),
    "mag_if": lambda: MagIF(SAMPLES),
    "mag_if whole": lambda: MagIF(SAMPLES, nyquist=True, frame=1024, hop=256),
    "mel range": lambda: MelLogMagnitude(SAMPLES),
    "mel bins": lambda: MelLogMagnitude(SAMPLES, hop=128, mels=128, normalisation="bins"),
    "mel_mag_if": lambda: MelMagIF(SAMPLES),
    "mel_stft": lambda: MelStft(SAMPLES),
}


EXACT = {"waveform", "stft", "stft whole", "mag_phase whole", "mag_if whole"}


NEAR_DB = {
    "stft compressed": -25,
    "mdct": -25,
    "half rate": -8,
    "log_magnitude": -13,
    "mag_phase": -30,
    "mag_if": -30,
    "mel range": -4,
    "mel bins": -8,
    "mel_mag_if": -6.6,
    "mel_stft": -60,
}


CLIPPED = {"stft compressed", "mdct", "half rate", "log_magnitude", "mel range", "mel bins"}


def sounds(n, seed):
    "Harmonic tones with noise that come and go: something a mel spectrogram can show."
    rng = np.random.default_rng(seed)
    time = np.arange(SAMPLES) / 16000
    pitch = rng.uniform(100, 300, (n, 1))
    wave = sum(
        np.sin(2 * np.pi * k * pitch * time + rng.uniform(0, 6, (n, 1))) / k for k in range(1, 20)
    )
    wave = (wave + 0.2 * rng.normal(size=(n, SAMPLES))) * np.sin(
        np.pi * time * rng.uniform(4, 12, (n, 1))
    ) ** 2
    return (0.9 * wave / np.abs(wave).max(axis=1, keepdims=True)).astype(np.float32)


def nearness(wave, found):
    found = np.asarray(found)
    scale = (
        (wave * wave).sum() ** 0.5 / max((found * found).sum() ** 0.5, 1e-9) if found.any() else 1.0
    )
    return spectral_convergence(np.abs(stft(wave)), np.abs(stft(found * scale))).max()
