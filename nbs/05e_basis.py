# ---
# jupyter:
#   kernelspec:
#     display_name: python3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A learned basis
#
# > A picture of sound that nobody drew up: filters found by training, half a millisecond apart, and what any of them can be relied on for.

# %%
#| default_exp basis

# %%
#| hide
import os
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %%
#| export
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from fastcore.basics import patch

from audiosynth.contract import Representation
from audiosynth.datasets import InputError
from audiosynth.spectral import overlap_add

# %%
import matplotlib.pyplot as plt
import tempfile

from audiosynth.listen import level_db, players
from audiosynth.sources import load_clips

# %% [markdown]
# The STFT was chosen by people. Conv-TasNet (Luo and Mesgarani 2019) lets a network choose instead: a frame of 32 samples is multiplied with 512 *filters*, what is negative becomes nothing,
# and the sum of as many other filters, each as loud as its number says, is the sound again. The numbers are the *code*. Below, one clip as cosines of 32 samples see it, each cosine
# once for either sign, beside its STFT. What filters a training finds is a later chapter's matter; everything here holds for any.

# %%
clips = load_clips("piano")
wave = clips.waves(clips.where("test")[:1])
turn = np.pi / 32 * np.outer(np.arange(32) + 0.5, np.arange(32))
cosines = np.cos(turn) * np.where(np.arange(32), 0.25, 32**-0.5)  # orthonormal
code = np.maximum(np.lib.stride_tricks.sliding_window_view(np.pad(wave[0], 8), 32)[::16] @ cosines, 0)
ax = plt.subplots(1, 2, figsize=(9, 2.6), dpi=80, layout="constrained")[1]
ax[0].imshow(level_db(wave[0]).T, origin="lower", aspect="auto", cmap="magma", vmin=-90); ax[0].set(title="STFT", xlabel="frames", ylabel="bins")
ax[1].imshow(20 * np.log10(code.T + 1e-4), origin="lower", aspect="auto", cmap="magma"); ax[1].set(title="code", xlabel="frames", ylabel="filters");

# %% [markdown]
# ## Frames of any clip
#
# There are $\lceil$samples / hop$\rceil$ frames. The clip is padded with half of what frames overlap before it, and behind it with as much as is needed, up to a hop more: a clip of any length has a whole number of frames,
# and every sample is in one at least.

# %%
#| exports
def frame_count(samples, hop):
    "⌈samples / hop⌉."
    return -(-samples // hop)

def framed(
    wave,  # (batch, samples)
    *,
    window,  # samples of a frame
    hop,  # samples from one frame to the next
):  # (batch, frames, window)
    "The frames of clips of any length."
    samples = wave.shape[-1]
    frames, pieces, before = frame_count(samples, hop), frame_count(window, hop), (window - hop) // 2
    count = frames + pieces - 1
    blocks = tf.reshape(tf.pad(wave, [[0, 0], [before, count * hop - before - samples]]), [-1, count, hop])
    return tf.concat([blocks[:, i:i + frames] for i in range(pieces)], axis=-1)[..., :window]

# %%
for samples in (1, 15, 16, 17, 1000):
    ramp = np.arange(1, samples + 1, dtype=np.float32)[None]
    found = framed(tf.constant(ramp), window=32, hop=16).numpy()
    assert found.shape == (1, frame_count(samples, 16), 32)
    assert all(found[0, m, i] == (ramp[0, n] if 0 <= (n := 16 * m + i - 8) < samples else 0) for m in range(found.shape[1]) for i in range(32))

# %% [markdown]
# ## There and back
#
# For a frame $f_m$ and filters $e_k$, $d_k$ of as many samples,
#
# $$c_{mk} = \max(0, \langle e_k, f_m \rangle), \qquad \hat x = \sum_{m,k} c_{mk}\, d_k(\cdot - m\,\mathrm{hop}).$$
#
# No filter has an offset: silence is the code 0, and the code 0 is silence, exactly. Without the maximum it would be a linear transform; with it, a wave and its negative are told apart by different filters.
# The filters may be variables, so that a trainer can use the same two functions.

# %%
#| exports
def analysed(
    wave,  # (batch, samples)
    encoder,  # (window, filters)
    *, hop,  # samples
):  # (batch, frames, filters), ≥ 0
    "The code of clips (Luo and Mesgarani 2019)."
    window, filters = encoder.shape
    frames = framed(wave, window=window, hop=hop)
    return tf.reshape(tf.nn.relu(tf.reshape(frames, [-1, window]) @ encoder), [-1, frames.shape[1], filters])

def synthesised(
    code,  # (batch, frames, filters)
    decoder,  # (window, filters)
    *, hop,  # samples
    samples,  # of a clip: (frames − 1) · hop < samples ≤ frames · hop
):  # (batch, samples)
    "The sound of codes."
    window, filters = decoder.shape
    pieces = tf.matmul(tf.reshape(code, [-1, filters]), decoder, transpose_b=True)
    before = (window - hop) // 2
    return overlap_add(tf.reshape(pieces, [-1, code.shape[1], window]), hop)[:, before:before + samples]

# %% [markdown]
# ## As a representation
#
# Its `fit` cannot be a matter of one pass over the data: the filters are *trained*, by a command of its own, and `fit` says so where there are none. What it can do with filters that are there is to find the one factor
# that brings the codes of these clips to 0…1, so that a GAN sees numbers of its own size; `decode` undoes it. The filters stand in the representation's file beside that factor, as numbers, like any other statistics.

# %%
#| exports
@dataclass(eq=False)
class LearnedBasis(Representation):
    "(frames, filters): how loud each learned filter sounds, the loudest of the training clips being 1."
    filters: int = 512
    window: int = 32  # samples
    hop: int = 16  # samples
    name = "basis"
    components = ("code",)

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.hop <= self.window or self.filters < 1 or self.samples < 1:
            raise InputError(f"a basis of {self.filters} filters of {self.window} samples, {self.hop} apart, for clips of {self.samples}: "
                             "use at least one filter, and a hop from 1 to the window's length")

    @property
    def shape(self): return (frame_count(self.samples, self.hop), self.filters)

    @property
    def fitted(self):
        form = (self.window, self.filters)
        return {"encoder": form, "decoder": form, "unit": ()}

    def _encode(self, wave):
        return analysed(wave, self.statistics["encoder"], hop=self.hop) / self.statistics["unit"]

    def _decode(self, x, seed):
        return synthesised(x * self.statistics["unit"], self.statistics["decoder"], hop=self.hop, samples=self.samples)

# %%
#| exports
UNTRAINED = "a basis is learned before it is used: audiosynth train basis_plain --out RUN"
SMALLEST = 1e-6  # unit of a basis whose clips are all silent

@patch
def fit(self: LearnedBasis, waves):
    "The unit of the code: its largest value. Raises `InputError` if there are no filters yet, or no clips."
    if "encoder" not in self.statistics: raise InputError(f"{self.name}: {UNTRAINED}")
    encoder, largest = self.statistics["encoder"], None
    measure = tf.function(lambda wave: tf.reduce_max(analysed(wave, encoder, hop=self.hop)), reduce_retracing=True)
    for wave in waves: largest = max(largest or 0.0, float(measure(tf.convert_to_tensor(wave, tf.float32))))
    if largest is None: raise InputError(f"{self.name}: there are no training clips to fit to; prepare a dataset with a training split")
    self.statistics["unit"], self._graph = np.float32(max(largest, SMALLEST)), None
    return self

# %% [markdown]
# A basis can be made of filters, and goes with clips of another length; of another rate it would be another basis.

# %%
#| exports
def basis_of(
    encoder,  # (window, filters)
    decoder,  # (window, filters)
    *, hop,  # samples
    samples=2**14,  # of a clip
    rate=16000,  # Hz
    unit=1.0,  # code that becomes 1
):  # `LearnedBasis`
    "The representation with these filters."
    encoder, decoder = (np.asarray(part, np.float32) for part in (encoder, decoder))
    made = LearnedBasis(samples, rate, encoder.shape[1], encoder.shape[0], hop)
    made.statistics |= dict(encoder=encoder, decoder=decoder, unit=np.float32(unit))
    return made

def for_clips(basis, *, samples, rate):  # `LearnedBasis`; of the clips
    "The same basis for clips of another length. Raises `InputError` where the rates differ."
    if rate != basis.rate: raise InputError(f"this basis was learned at {basis.rate} Hz and the clips have {rate}: prepare them with --rate {basis.rate}, or train a basis on them")
    made = replace(basis, samples=samples)
    made.statistics = dict(basis.statistics)
    return made

# %% [markdown]
# The cosines are such a basis. Each is there with both signs, as ReLU lets only one through; and what a frame says of its middle is all that is kept, so that frames that overlap do not count anything twice.
# The round trip is then exact, edges included, for a clip of any length.

# %%
#| exports
def cosine_basis(*, window=32, hop=16, **clips):  # samples; samples and rate of the clips
    "A basis known in advance: the cosine transform (DCT-II) of a frame, there and back exactly. It is a yardstick for learned ones."
    turn = np.pi / window * np.outer(np.arange(window) + 0.5, np.arange(window))
    cosines = np.cos(turn) * np.sqrt(np.where(np.arange(window), 2, 1) / window)
    both, middle = np.concatenate([cosines, -cosines], axis=1), np.zeros((window, 1))
    middle[(window - hop) // 2:(window + hop) // 2] = 1
    return basis_of(both, middle * both, hop=hop, **clips)

# %%
cosine = cosine_basis(samples=clips.samples).fit([clips.waves(clips.where("train"))])
code = cosine.encode(wave)
assert code.shape == (1, 1024, 64) and 0 <= code.numpy().min() and code.numpy().max() <= 1.5
there_and_back = cosine.decode(code).numpy()
assert np.abs(there_and_back - wave).max() < 1e-5
players([("piano", [("the clip", wave[0]), ("coded and decoded", there_and_back[0])])])

# %% [markdown]
# Not every answer passes: silence, shuffled frames and another clip's code are far off. Silence is silence, to the bit.

# %%
order = np.random.default_rng(0).permutation(1024)
for wrong in (0 * code, tf.gather(code, order, axis=1), cosine.encode(clips.waves([0]))):
    assert np.abs(cosine.decode(wrong).numpy() - wave).max() > 0.1
assert not cosine.encode(0 * wave).numpy().any() and not cosine.decode(0 * code).numpy().any()

# %% [markdown]
# Any length, and the unit is undone:

# %%
rng = np.random.default_rng(0)
for samples in (1, 7, 16, 17, 31, 33, 500, 4097):
    noise, any_length = rng.normal(size=(2, samples)).astype("float32"), for_clips(cosine, samples=samples, rate=16000)
    x = any_length.encode(noise)
    assert x.shape == (2, frame_count(samples, 16), 64) and np.abs(any_length.decode(x).numpy() - noise).max() < 1e-5

# %% [markdown]
# A gradient goes through both, and filters that are variables get theirs: compared here with differences.

# %%
encoder, decoder = (tf.Variable(cosine.statistics[name]) for name in ("encoder", "decoder"))
loss = lambda: tf.reduce_sum(synthesised(analysed(wave, encoder, hop=16), decoder, hop=16, samples=clips.samples)**2)
with tf.GradientTape() as tape: value = loss()
slopes, steps = tape.gradient(value, [encoder, decoder]), []
for variable, slope in zip((encoder, decoder), slopes):
    way = tf.constant(rng.normal(size=variable.shape), tf.float32)
    variable.assign_add(1e-3 * way); up = loss(); variable.assign_sub(2e-3 * way); down = loss(); variable.assign_add(1e-3 * way)
    steps.append((float(up - down) / 2e-3, float(tf.reduce_sum(slope * way))))
steps

# %%
assert all(abs(found - wanted) < 0.02 * abs(wanted) for found, wanted in steps)

# %% [markdown]
# What is missing is said, and the file holds all that is needed.

# %%
for bad in (lambda: LearnedBasis().fit([wave]), lambda: LearnedBasis(hop=40), lambda: for_clips(cosine, samples=100, rate=8000), lambda: cosine.encode(wave[:, :100])):
    try: bad()
    except InputError as error: print(error)
    else: assert False
folder = tempfile.TemporaryDirectory()
print(f"{cosine.save(folder.name).stat().st_size / 1e3:.0f} kB")
folder.cleanup()

# %%
#| hide
import nbdev; nbdev.nbdev_export()
