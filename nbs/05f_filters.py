# ---
# jupyter:
#   kernelspec:
#     display_name: python3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What a filterbank is like
#
# > Where its filters listen, how finely, how safely they can be undone, and what noise on their code does to the sound: figures for any encoder and decoder, checked where the answer is known.

# %%
#| default_exp filters

# %%
#| hide
import os
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %%
#| export
import numpy as np

from audiosynth.datasets import InputError
from audiosynth.spectral import hz_to_mel

# %%
import matplotlib.pyplot as plt

from audiosynth.basis import basis_of, cosine_basis, synthesised
from audiosynth.noise import noise_at_snr
from audiosynth.representations import RealImaginary
from audiosynth.sources import load_clips

# %% [markdown]
# Filters out of a training come in no order. Below, sixteen windowed cosines in a random one, and sorted: what sorts them is where each responds most.

# %%
rng = np.random.default_rng(0)
hz = np.linspace(300, 7500, 16)
bank = np.cos(2 * np.pi * np.outer(np.arange(32) - 15.5, hz) / 16000) * np.hanning(34)[1:-1, None]
mixed = bank[:, rng.permutation(16)]
def show(*banks):
    for ax, some in zip(plt.subplots(1, len(banks), figsize=(9, 2), dpi=80, layout="constrained", squeeze=False)[1][0], banks):
        ax.imshow(some.T, aspect="auto", cmap="RdBu", vmin=-1, vmax=1); ax.set(xlabel="samples", ylabel="filters")
show(mixed, bank)

# %% [markdown]
# ## Where, and how wide
#
# The *centre* of a filter is the frequency where its spectrum is largest, on a grid of 4 Hz at 16 kHz, and not the mean over its spectrum: a filter with two lobes hears nothing between them. Its *bandwidth* is that of a rectangle
# of the same height and area,
#
# $$b = \frac{\int_0^{f_s/2} |H(f)|^2 \, df}{\max_f |H(f)|^2}.$$
#
# For a window of $N$ samples far from 0 Hz and from half the rate that is $f_s/N$ if it is a rectangle, and 1.5 times as much if it is Hann's.

# %%
#| exports
GRID = 4096  # of the Fourier transforms that filters are looked at with

def responses(filters):  # (window, filters)
    "|H|², (GRID // 2 + 1, filters), from 0 Hz to half the rate."
    return np.abs(np.fft.rfft(np.asarray(filters, np.float64), GRID, axis=0))**2

def centre_hz(filters, *, rate=16000):  # (window, filters); Hz
    "The frequency where each responds most, (filters,)."
    return responses(filters).argmax(0) * rate / GRID

def bandwidth_hz(filters, *, rate=16000):
    "The equivalent rectangular bandwidth of each, (filters,); 0 for a filter of zeros."
    power = responses(filters)
    return (power[1:] + power[:-1]).sum(0) / 2 * rate / GRID / np.maximum(power.max(0), 1e-300)

# %%
wide = {"rectangle": np.ones(32), "Hann": 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(32) / 32)}
for name, window in wide.items():
    one = (window * np.cos(2 * np.pi * 3000 * np.arange(32) / 16000))[:, None]
    print(f"{name:10} centre {centre_hz(one)[0]:.0f} Hz, bandwidth {bandwidth_hz(one)[0]:.0f} Hz; in theory 3000, {16000 / 32 * (1.5 if name == 'Hann' else 1):.0f}")
    assert abs(centre_hz(one)[0] - 3000) < 60 and abs(bandwidth_hz(one)[0] / (16000 / 32 * (1.5 if name == "Hann" else 1)) - 1) < 0.05

# %% [markdown]
# ## Two orders
#
# By centre frequency; and by the distance from the smallest filter, which needs no spectrum: filters that look alike come to stand side by side where their distances are alike.

# %%
#| exports
def by_frequency(filters):  # (window, filters)
    "The order of rising centre frequency; alike ones by their norm."
    return np.lexsort((np.linalg.norm(filters, axis=0), centre_hz(filters)))

def by_distance(filters):
    "The order of rising distance from the filter with the smallest norm, which is the first."
    filters = np.asarray(filters, np.float64)
    smallest = filters[:, np.linalg.norm(filters, axis=0).argmin()]
    return np.argsort(np.linalg.norm(filters - smallest[:, None], axis=0), kind="stable")

# %%
assert np.allclose(mixed[:, by_frequency(mixed)], bank)
louder = bank * np.linspace(1, 3, 16)
order = by_distance(louder)
assert order[0] == 0 and (np.diff(np.linalg.norm(louder[:, order] - louder[:, :1], axis=0)) >= 0).all()

# %% [markdown]
# ## Beside the ear
#
# Mel and the ERB-rate scale (Glasberg and Moore 1990), $E(f) = 21.4 \log_{10}(1 + 0.00437 f)$, say how finely the ear hears where. How many filters would each of them put into a band, if it had as many in all?

# %%
#| exports
def hz_to_erb(hz):
    "Hz to ERB-rate: how many equivalent rectangular bandwidths of hearing lie below (Glasberg and Moore 1990)."
    return 21.4 * np.log10(1 + 0.00437 * np.asarray(hz, np.float64))

SCALES = {"linear": np.asarray, "mel": hz_to_mel, "erb": hz_to_erb}
BANDS = 16

def density(centres, *, rate=16000, bands=BANDS):  # (filters,) Hz
    "How many filters each of some equal bands has, and would have if they were even on each of `SCALES`: {\"found\": (bands,), …}."
    edges = np.linspace(0, rate / 2, bands + 1)
    found = np.histogram(centres, edges)[0]
    return {"found": found} | {name: len(centres) * np.diff(scale(edges)) / (scale(edges[-1]) - scale(0.0)) for name, scale in SCALES.items()}

def scale_distance(centres, *, rate=16000):
    "How far the centres are from even on each scale: the share of them in other places (Kolmogorov's distance), 0..1."
    def apart(scale):
        place = np.sort(scale(np.asarray(centres, np.float64)) / scale(rate / 2))
        steps = np.arange(len(place) + 1) / len(place)
        return float(max((steps[1:] - place).max(), (place - steps[:-1]).max()))
    return {name: apart(scale) for name, scale in SCALES.items()}

# %%
assert abs(hz_to_erb(1000) - 15.62) < 0.01  # 1 kHz lies 15.6 bandwidths up
from_mel = 700 * (10**(np.linspace(0, hz_to_mel(8000), 512) / 2595) - 1)
print({name: np.round(n[:4], 1).tolist() for name, n in density(from_mel).items()}, scale_distance(from_mel))
assert scale_distance(from_mel)["mel"] < 0.01 < scale_distance(from_mel)["erb"] < scale_distance(from_mel)["linear"]

# %% [markdown]
# ## Can it be undone?
#
# Without ReLU, the encoder is a linear operator $A$ that commutes with shifts by a hop. Cut each filter into pieces of a hop, $E_i$; on a wave cut likewise into blocks it acts, frequency by frequency, as the matrix
#
# $$C(\omega) = \sum_i E_i^\top e^{\mathrm{i}\omega i},$$
#
# filters × hop (the *polyphase* matrix). The smallest and the largest eigenvalue of all $C^*C$ are the *frame bounds*: $\alpha\|x\|^2 \le \|Ax\|^2 \le \beta\|x\|^2$ for every wave. The root of their quotient is the condition number of $A$: by how much
# more one wave's error may grow on the way back than another's. 1 is a tight frame; infinity, a wave that no filter hears.

# %%
#| exports
TURNS = 256  # frequencies, from 0 to the block's half rate

def polyphase(filters, hop, turns=TURNS):  # (window, filters); samples; how many frequencies, or which
    "C(ω), (turns, filters, hop) complex128."
    filters = np.asarray(filters, np.float64)
    window, pieces = len(filters), -(-len(filters) // hop)
    cut = np.pad(filters, [(0, pieces * hop - window), (0, 0)]).reshape(pieces, hop, -1)
    omega = np.linspace(0, np.pi, turns) if np.ndim(turns) == 0 else np.asarray(turns)
    return np.einsum("ti,ihk->tkh", np.exp(1j * np.outer(omega, np.arange(pieces))), cut)

def frame_bounds(filters, *, hop):
    "The smallest and the largest ‖Ax‖²/‖x‖² of any wave."
    c = polyphase(filters, hop)
    values = np.linalg.eigvalsh(np.conj(c.swapaxes(1, 2)) @ c)
    return max(float(values.min()), 0.0), float(values.max())

def condition_number(filters, *, hop):
    "Of the linear part of an encoder, ≥ 1; infinite where something is not heard."
    low, high = frame_bounds(filters, hop=hop)
    return float(np.sqrt(high / low)) if low > 1e-12 * high else np.inf

# %% [markdown]
# The same from a matrix that is written out, for a clip of 12 hops that closes in a ring; there the frequencies are the twelfths of a turn. And a tight frame: cosines with a sine window.

# %%
random = rng.normal(size=(32, 40))
ring = np.zeros((12 * 40, 12 * 16))
for m in range(12):
    for i in range(32): ring[40 * m:40 * (m + 1), (16 * m + i) % (12 * 16)] += random[i]
written = np.sort(np.linalg.svd(ring, compute_uv=False)**2)
at = polyphase(random, 16, 2 * np.pi * np.arange(12) / 12)
assert np.allclose(written, np.sort(np.linalg.eigvalsh(np.conj(at.swapaxes(1, 2)) @ at).ravel()))
low, high = frame_bounds(random, hop=16)
assert low <= written.min() + 1e-9 and written.max() <= high + 1e-9
cosine = cosine_basis().statistics["encoder"][:, :32]
tight = cosine * np.sin(np.pi * (np.arange(32) + 0.5) / 32)[:, None]
assert np.allclose(frame_bounds(tight, hop=16), 1, atol=1e-6)
print(f"random: {condition_number(random, hop=16):.1f}; cosines {condition_number(cosine, hop=16):.3f}, with a window {condition_number(tight, hop=16):.3f}; eight of them: {condition_number(tight[:, :8], hop=16)}")

# %% [markdown]
# ## Is the decoder the encoder's inverse?
#
# The shortest way back is the pseudo-inverse, whose filters are the canonical dual, $C (C^*C)^{-1}$. ReLU keeps about half of a code, so a decoder must be louder than that by some factor; it is left out of account: the distance is the sine of
# the angle between the two, 0 where they are the same up to that factor, 1 where they have nothing in common. For cosines of both signs the factor is exactly 2.

# %%
#| exports
def inverse_distance(encoder, decoder, *, hop):  # (window, filters) twice
    "How far a decoder is from the pseudo-inverse of the encoder's linear part, 0..1, and how much louder it is: (distance, factor)."
    c, d = polyphase(encoder, hop), polyphase(decoder, hop)
    dual = np.conj(np.linalg.pinv(c).swapaxes(1, 2))
    weight = np.r_[0.5, np.ones(TURNS - 2), 0.5][:, None, None]  # the circle's two ends count once, the frequencies between twice
    dot = lambda a, b: float((weight * (np.conj(a) * b).real).sum())
    across, size, own = dot(dual, d), dot(dual, dual), dot(d, d)
    if not size or not own: raise InputError("a decoder or an encoder of zeros; train the basis first")
    return float(np.sqrt(max(0.0, 1 - across**2 / (size * own)))), across / size

def redundancy(filters, *, hop):
    "Numbers in a code for each sample."
    return filters.shape[1] / hop

# %%
both = np.concatenate([tight, -tight], axis=1)
print(inverse_distance(both, both, hop=16), inverse_distance(both, rng.normal(size=both.shape), hop=16))
assert np.allclose(inverse_distance(both, both, hop=16), (0, 2), atol=1e-6) and inverse_distance(both, rng.normal(size=both.shape), hop=16)[0] > 0.9

# %% [markdown]
# ## Noise on the code
#
# White noise of variance $\sigma^2$ on every number of a code leaves the decoder as noise of mean variance $\sigma^2 \sum_k \|d_k\|^2 / \mathrm{hop}$, whatever the sound is. What matters is how much weaker that is beside the sound than the noise was
# beside the code: the *noise gain*
#
# $$G = 10 \log_{10} \frac{P_x \cdot \mathrm{hop}}{P_c \sum_k \|d_k\|^2}\ \mathrm{dB},$$
#
# with the power $P_x$ of the sound and the variance $P_c$ of its code: a code of 20 dB SNR becomes a sound of $20 + G$ dB. A linear tight frame has $G = 10\log_{10}$ of its redundancy, as it averages over that many numbers for each sample.

# %%
#| exports
def noise_gain_db(wave, code, decoder, *, hop):  # (clips, samples); (clips, frames, filters), as the decoder takes it; (window, filters)
    "By how many dB the sound's SNR is better than the code's, with white noise on the code."
    power, spread = np.mean(np.asarray(wave, np.float64)**2), np.var(np.asarray(code, np.float64))
    if not power or not spread: raise InputError("the noise gain of silence: choose clips that sound")
    return float(10 * np.log10(power * hop / (spread * (np.asarray(decoder, np.float64)**2).sum())))

# %% [markdown]
# The formula against noise that is really added, for the tight frame and its ReLU twin, which has two filters for each; and the STFT's decoder, of redundancy 4 with frames of 512 samples and hops of 128, in the same way.

# %%
wave = (w := load_clips("piano").waves([0, 60]))[np.abs(w).max(1) > 0.01]
linear = lambda wave: np.lib.stride_tricks.sliding_window_view(np.pad(wave, [(0, 0), (8, 8)]), 32, axis=1)[:, ::16] @ tight
pairs = basis_of(both, both, hop=16)
measured = lambda code, decode: 10 * np.log10((wave**2).mean() / ((decode(code + noise_at_snr(code, 20, rng=rng)) - decode(code))**2).mean()) - 20
back = lambda decoder: lambda code: synthesised(code.astype("float32"), decoder.astype("float32"), hop=16, samples=wave.shape[1]).numpy().astype(float)
half = pairs.encode(wave).numpy()
gains = {"linear": (noise_gain_db(wave, linear(wave), tight, hop=16), measured(linear(wave), back(tight))),
         "ReLU": (noise_gain_db(wave, half, both, hop=16), measured(half, back(both)))}
stft = RealImaginary(wave.shape[1]); stft.statistics["peak"] = np.ones(257, np.float32)
picture = stft.encode(wave).numpy()
gains["STFT 512/128"] = 10 * np.log10(4), measured(picture, lambda x: stft.decode(x.astype("float32")).numpy().astype(float))
for name, (said, found) in gains.items(): print(f"{name:14} by the formula {said:5.2f} dB, measured {found:5.2f} dB")

# %%
assert abs(gains["linear"][0] - 10 * np.log10(2)) < 0.2 and all(abs(said - found) < 0.3 for said, found in list(gains.values())[:2])

# %% [markdown]
# ## All of it

# %%
#| exports
def figures(
    basis,  # a `LearnedBasis` with filters
):  # dict that JSON can hold
    "What a learned basis is like: see the functions above. The frequencies are in the encoder's order."
    encoder, decoder = (np.asarray(basis.statistics[name], np.float64) for name in ("encoder", "decoder"))
    used = np.linalg.norm(encoder, axis=0) > 1e-3 * np.linalg.norm(encoder, axis=0).max()
    low, high = frame_bounds(encoder, hop=basis.hop)
    distance, factor = inverse_distance(encoder, decoder, hop=basis.hop)
    parts = {name: {"centre_hz": centre_hz(part, rate=basis.rate).tolist(), "bandwidth_hz": bandwidth_hz(part, rate=basis.rate).tolist(),
                    "distance_from_scale": scale_distance(centre_hz(part, rate=basis.rate), rate=basis.rate)} for name, part in (("encoder", encoder), ("decoder", decoder))}
    condition = condition_number(encoder, hop=basis.hop)
    return {"filters": basis.filters, "window": basis.window, "hop": basis.hop, "rate_hz": basis.rate, "used": int(used.sum()), "redundancy": redundancy(encoder, hop=basis.hop),
            "frame_bounds": [low, high], "condition": condition if np.isfinite(condition) else None, "inverse_distance": distance, "inverse_factor": factor, **parts}

# %%
known = figures(basis_of(both, both, hop=16))
{name: value for name, value in known.items() if name not in ("encoder", "decoder")}

# %%
assert known["redundancy"] == 4 and abs(known["condition"] - 1) < 1e-6 and known["used"] == 64

# %%
#| hide
import nbdev; nbdev.nbdev_export()
