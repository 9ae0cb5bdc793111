# ---
# jupyter:
#   kernelspec:
#     display_name: python3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Learning a basis
#
# > Filters trained to give a sound back out of noise, alone or with a second aim: to show the notes, to fool a critic, to sound alike. Four rows of a table, one trainer.

# %%
#| default_exp bases

# %%
#| hide
import os
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %%
#| export
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from fastcore.basics import patch
from keras import layers

from audiosynth.adam import Adam
from audiosynth.basis import analysed, basis_of, synthesised
from audiosynth.datasets import KEYS, InputError
from audiosynth.experiments import APART, EXAMPLES, EXAMPLES_FILE, MODEL, load_examples, save_examples, write_json
from audiosynth.gan import ALPHA, GAMES, Z, apply, between, draws, gradient_penalty, held
from audiosynth.metrics import bootstrap
from audiosynth.networks import critic, nearest
from audiosynth.representations import load_basis
from audiosynth.runs import KINDS, Run, read_about, stored
from audiosynth.scale_out import Team
from audiosynth.sources import load_clips
from audiosynth.spectral import stft
from audiosynth.training import check_length, describe, follow, on_disk

# %%
import json, shutil, tempfile

import matplotlib.pyplot as plt

from audiosynth import bases as finished
from audiosynth.listen import players
from audiosynth.runs import read_log

# %%
#| hide
tf.get_logger().setLevel("ERROR")  # several models in one notebook: it would remark on each

# %% [markdown]
# Below, a piano clip, the same with the noise that training adds, and what untrained filters make of it. Training must find filters whose code the noise does not spoil.

# %%
clips = load_clips("piano")
wave = clips.waves(clips.where("test")[:1])
rng = np.random.default_rng(0)
noisy = (wave + 0.05 * rng.normal(size=wave.shape)).astype("float32")
untrained = basis_of(*0.06 * rng.normal(size=(2, 32, 512)), hop=16, samples=clips.samples)
players([("piano", [("the clip", wave[0]), ("with noise", noisy[0]), ("through random filters", 2 * untrained.decode(untrained.encode(noisy)).numpy()[0])])])

# %% [markdown]
# ## The table
#
# A row is what distinguishes it. All have 512 filters of 32 samples, half overlapping, and learn from excerpts of 2048 samples with Gaussian noise of σ 0.05 added; the loss is L1, the mean $|\hat x - x|$ against the clean excerpt, plus
# the row's own. Its weight was set so that either has a say in the filters' gradient.

# %%
#| exports
@dataclass(frozen=True)
class Basis:
    "A row: a basis to learn."
    published: str           # what it is after
    auxiliary: str = ""      # a name in `AUXILIARY`
    weight: float = 0.0      # of that loss
    filters: int = 512
    window: int = 32         # samples of a filter
    hop: int = 16            # samples
    noise: float = 0.05      # σ of what is added to the input
    excerpt: int = 2048      # samples of a clip in an update
    batch: int = 16          # excerpts in an update
    learning_rate: float = 1e-3
    frozen: bool = False     # does the encoder stay as it was drawn? To compare with
    width: int = 8           # channels of the critic's thinnest layer
    price: float = 10.0      # of its penalty
    labels, given = False, ""  # what a GAN's row may be told

    @property
    def game(self): return "wgan_gp" if self.auxiliary == "critic" else "basis"  # for the doctor

    @property
    def critic_steps(self): return GAMES["wgan_gp"].critic_steps if self.auxiliary == "critic" else 0

BASES = {
    "basis_plain": Basis("reconstruction alone"),
    "basis_classifier": Basis("reconstruction, and the code shows the notes", "classifier", 0.1),
    "basis_critic": Basis("reconstruction, and a critic takes it for a recording", "critic", 0.01),
    "basis_perceptual": Basis("reconstruction, and its spectrograms are alike", "perceptual", 0.01),
}
KINDS["basis"] = Basis  # what `experiment.json` of such a run holds

def choose_basis(row, **changes):  # a name in `BASES`; fields to change, None: as the row has it
    "A row, perhaps varied. `InputError` names the nearest row, or the field that cannot be."
    found = BASES[nearest(row, BASES, "row")]
    changes = {name: value for name, value in changes.items() if value is not None}
    for name in ("filters", "batch"):
        if changes.get(name, 1) < 1: raise InputError(f"{name} {changes[name]}: must be at least 1")
    return replace(found, **changes)

# %% [markdown]
# ## The second aims
#
# **The classifier** sees each frame of the code and says which of the 88 keys and the pedal are down, by three layers of 512, 128 and 100 units; the loss is the mean cross-entropy of its 89 answers. **The critic** is WaveGAN's, thin: it
# scores excerpts, real ones drawn independently of those that are reconstructed, with the Wasserstein game's penalty. **The perceptual loss** compares spectrograms of three sizes (Yamamoto, Song and Kim 2020):
#
# $$\frac{\|\,|X| - |\hat X|\,\|}{\sqrt{\|X\|^2 + n\nu^2}} + \mathrm{mean}\,\tfrac12\left|\log\frac{|X|^2 + \nu^2/1000}{|\hat X|^2 + \nu^2/1000}\right|,$$
#
# where $\nu^2$ is the power of the added noise in a bin and $n$ the number of bins. Without it, an excerpt of silence would be divided by nothing.

# %%
#| exports
LAYERS = (512, 128, 100)  # units of the classifier
RESOLUTIONS = ((1024, 256), (512, 128), (256, 64))  # frame and hop, samples

def note_classifier(filters):
    "(…, filters) → (…, 89) logits."
    code = h = keras.Input((filters,), name="code")
    for n in LAYERS: h = layers.Dense(n, activation="relu", kernel_initializer="he_normal")(h)
    return keras.Model(code, layers.Dense(KEYS)(h), name="classifier")

def classifier_loss(model, data, code, found):
    "Mean cross-entropy of the keys and the pedal."
    logits = model.network(tf.reshape(code, (-1, code.shape[-1])), training=True)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.reshape(data["notes"], (-1, KEYS)), logits))

def critic_loss(model, data, code, found):
    "How little the critic is taken in."
    return -tf.reduce_mean(model.score(found))

def perceptual_loss(model, data, code, found):
    "The mean of `spectral_difference` over three resolutions."
    clean = data["wave"][-found.shape[0]:]
    return tf.add_n([spectral_difference(clean, found, *size, noise=model.row.noise) for size in RESOLUTIONS]) / len(RESOLUTIONS)

def spectral_difference(clean, found, frame, hop, *, noise):  # (batch, samples) twice; samples; σ
    "Spectral convergence and the distance of log-magnitudes, each with a floor."
    power = [tf.math.real(x)**2 + tf.math.imag(x)**2 for x in (stft(wave, frame=frame, hop=hop) for wave in (clean, found))]
    floor = noise**2 * frame * 0.3974  # the mean square of a Hamming window
    tiny = 1e-3 * floor
    apart = tf.reduce_sum((tf.sqrt(power[0] + tiny) - tf.sqrt(power[1] + tiny))**2, (1, 2))
    size = tf.reduce_sum(power[0] + floor, (1, 2))
    logs = tf.reduce_mean(tf.abs(tf.math.log((power[0] + tiny) / (power[1] + tiny)))) / 2
    return tf.reduce_mean(tf.sqrt(apart / size + 1e-12)) + logs

AUXILIARY = {"classifier": classifier_loss, "critic": critic_loss, "perceptual": perceptual_loss}

# %%
silence, tone = tf.zeros((2, 2048)), 0.3 * tf.sin(tf.range(2048.0) / 5)[None]
with tf.GradientTape() as tape:
    tape.watch(silence)
    quiet = sum(spectral_difference(silence, silence + 1e-4, *size, noise=0.05) for size in RESOLUTIONS)
steep = tape.gradient(quiet, silence).numpy()
same, half, other = (float(spectral_difference(tone, x, 512, 128, noise=0.05)) for x in (tone, tone / 2, tone[:, ::-1]))
print(f"silence {float(quiet):.2g}, its gradient at most {np.abs(steep).max():.2g}; the same {same:.2g}, at half the level {half:.2f}, backwards {other:.2f}")
assert np.isfinite(steep).all() and same < 1e-5 < other < half

# %% [markdown]
# ## The trainer
#
# Encoder and decoder are two arrays, and what goes along is one small network. One update of the filters is a *step*; where there is a critic, it is updated five times before each. All chance, the noise and the excerpts, depends on the seed
# and the step alone, as in a GAN's training, so that a run that was stopped goes on as if it had not been.

# %%
#| exports
class BasisModel(keras.Model):
    "Filters, what they learn with, and how."
    listeners, condition, representation = (), "", None
    shown = "L1", "l1", ".4f"  # on the progress bar

    def __init__(self,
        row,            # a `Basis`
        *,
        samples,        # of the clips
        rate,           # Hz
        seed=0,
        examples=None,  # (n, samples) sounds to try it on
        training=None,  # (n, samples) of those it learns from, for the code's unit
    ):
        super().__init__(name="basis")
        self.row, self.samples, self.rate, self.seed, self.examples, self.training = row, samples, rate, seed, examples, training
        form = dict(shape=(row.window, row.filters), initializer="glorot_uniform")
        self.encoder, self.decoder = self.add_weight(name="encoder", **form), self.add_weight(name="decoder", **form)
        self.network = note_classifier(row.filters) if row.auxiliary == "classifier" else None
        if row.auxiliary == "critic": self.network = critic((row.excerpt, 1), network="wavegan", width=row.width)
        kept = dict(initializer="zeros", trainable=False, shape=(), dtype="int64")
        self.step, self.total = self.add_weight(name="step", **kept), self.add_weight(name="total", **kept)
        self.taught = [self.decoder] if row.frozen else [self.encoder, self.decoder]
        self.compile(optimizer=Adam(row.learning_rate, epsilon=1e-8), jit_compile=False)
        self.optimizer.build(self.taught)
        self.helper = None if self.network is None else Adam(row.learning_rate, 0.5 if row.critic_steps else 0.9, 0.9 if row.critic_steps else 0.999, epsilon=1e-8)
        if self.helper: self.helper.build(self.network.trainable_variables)

    def _maybe_symbolic_build(self, *args, **kwargs): "Everything is built already."

    @property
    def groups(self):  # for a checkpoint
        found = {"basis": [self.encoder, self.decoder], "basis_adam": self.optimizer.variables, "progress": [self.step, self.total]}
        return found if self.network is None else found | {"auxiliary": self.network.weights, "auxiliary_adam": self.helper.variables}

# %%
#| exports
@patch
def through(self:BasisModel, clean, substep):  # (batch, excerpt); which draw of this step
    "The code of excerpts with noise on them, and its sound."
    noise = tf.random.stateless_normal(tf.shape(clean), draws(self.seed, self.step, substep, Z))
    code = analysed(clean + self.row.noise * noise, tf.convert_to_tensor(self.encoder), hop=self.row.hop)
    return code, synthesised(code, tf.convert_to_tensor(self.decoder), hop=self.row.hop, samples=clean.shape[1])

@patch
def score(self:BasisModel, wave): return self.network([wave[..., None]], training=True)

@patch
def teach(self:BasisModel, clean, real, substep):  # (batch, excerpt) twice: to be reconstructed, and others
    "One update of the critic."
    fake = self.through(clean, substep)[1]
    alpha = tf.random.stateless_uniform([fake.shape[0]], draws(self.seed, self.step, substep, ALPHA))
    with tf.GradientTape() as tape:
        gap = tf.reduce_mean(self.score(real)) - tf.reduce_mean(self.score(fake))
        paid = gradient_penalty(self.score, between([real], [fake], alpha))
        loss = self.row.price * paid - gap
    gradients = tape.gradient(loss, self.network.trainable_variables)
    apply(self.helper, gradients, self.network.trainable_variables)
    return {"gap": gap, "critic_loss": loss, "penalty": paid, "critic_gradient": tf.linalg.global_norm(gradients)}

# %%
#| exports
@patch
def train_step(self:BasisModel, data):
    "One update of the filters, after those of the critic. data: wave ((critic_steps + 1)·batch, excerpt); perhaps real, notes."
    row, logs = self.row, {}
    for k in range(row.critic_steps):
        part = slice(k * row.batch, (k + 1) * row.batch)
        logs = self.teach(data["wave"][part], data["real"][part], k)
    clean = data["wave"][row.critic_steps * row.batch:]
    with tf.GradientTape() as tape:
        code, found = self.through(clean, row.critic_steps)
        l1 = tf.reduce_mean(tf.abs(found - clean))
        extra = AUXILIARY[row.auxiliary](self, data, code, found) if row.auxiliary else 0.0
        loss = l1 + row.weight * extra
    own, more = self.taught, self.network.trainable_variables if row.auxiliary == "classifier" else []
    gradients = tape.gradient(loss, [*own, *more])
    apply(self.optimizer, gradients[:len(own)], own)
    if more: apply(self.helper, gradients[len(own):], more)
    self.step.assign_add(1)
    return {"l1": l1, **({row.auxiliary: extra} if row.auxiliary else {}), "basis_gradient": tf.linalg.global_norm(gradients[:len(own)]), **logs}

# %% [markdown]
# What an update sees is cut out of the clips as they are needed: excerpts that begin at a multiple of the hop, so that a frame's notes are those of its middle.

# %%
#| exports
DOWN = np.r_[np.ones(88, "uint8"), np.uint8(64)]  # from which value on a key, and the pedal, is down

def excerpts(clips, rows, length, hop, rng):  # a dataset; which clips; samples; samples; NumPy's chance
    "Part of each clip, (n, length), and where each begins."
    begin = rng.integers(0, (clips.samples - length) // hop + 1, len(rows)) * hop
    return np.take_along_axis(clips.waves(rows), begin[:, None] + np.arange(length), axis=1), begin

def notes_of(clips, rows, begin, frames, hop):  # …; (n,) samples; how many frames; samples
    "Which keys, and the pedal, are down at each frame's middle: (n, frames, 89) float32, 0 or 1."
    middle = begin[:, None] + hop * np.arange(frames) + hop // 2
    state = np.minimum(middle, clips.samples - 1) * clips.states // clips.samples
    return (np.take_along_axis(clips.rolls(rows), state[..., None], axis=1) >= DOWN).astype("float32")

@patch
def feed(self:BasisModel, clips, *, batch, seed=0):
    "A `tf.data.Dataset` that begins where the model stands."
    row, first = self.row, int(held(self.step))
    n, frames = batch * (row.critic_steps + 1), row.excerpt // row.hop
    def elements():
        step = first
        while True:
            rng, rows = np.random.default_rng([seed, step]), clips.indices(step, n, seed=seed)
            wave, begin = excerpts(clips, rows, row.excerpt, row.hop, rng)
            found = {"wave": wave}
            if row.critic_steps: found["real"] = excerpts(clips, clips.indices(step, n - batch, seed=seed + APART), row.excerpt, row.hop, rng)[0]
            if row.auxiliary == "classifier": found["notes"] = notes_of(clips, rows, begin, frames, row.hop)
            yield found
            step += 1
    form = {"wave": tf.TensorSpec((n, row.excerpt), tf.float32)}
    if row.critic_steps: form["real"] = tf.TensorSpec((n - batch, row.excerpt), tf.float32)
    if row.auxiliary == "classifier": form["notes"] = tf.TensorSpec((n, frames, KEYS), tf.float32)
    return tf.data.Dataset.from_generator(elements, output_signature=form).prefetch(2)

# %%
rows = clips.where("train")[:3]
cut, begin = excerpts(clips, rows, 2048, 16, np.random.default_rng(0))
notes = notes_of(clips, rows, begin, 128, 16)
assert cut.shape == (3, 2048) and notes.shape == (3, 128, 89) and all(np.array_equal(cut[i], clips.waves(rows)[i, b:b + 2048]) for i, b in enumerate(begin))
whole = clips.rolls(rows)
assert all(np.array_equal(notes[i, m, :88], whole[i, (b + 16 * m + 8) // 32, :88] > 0) for i, b in enumerate(begin) for m in (0, 77, 127))

# %% [markdown]
# ## A run
#
# The same folder, checkpoints, log, doctor and `audiosynth train` as a GAN's. What it leaves in `model/` is the representation's file and some sounds to try it on, as 16 bits.

# %%
#| exports
class TrainedBasis:
    "A learned basis with some sounds to try it on."
    labels, condition = [], ""
    def __init__(self, representation, about, examples):  # a `LearnedBasis`; dict; (n, samples), as 16 bits hold them
        self.representation, self.about, self.examples, self.rate = representation, about, examples, representation.rate

    def __repr__(self):
        shape = "{filters} filters of {window} samples, {hop} apart".format(**vars(self.representation))
        return f"TrainedBasis: {self.about.get('row')}, {self.about.get('step', 0):,} updates on {self.about.get('data')}; {shape}, at {self.rate} Hz"

    def generate(self, n, *, seed=0):
        "The sounds in turn, coded and decoded: (n, samples)."
        once = reconstructed(self.representation, self.examples)
        return once[np.arange(n) % len(once)]

    def save(self, folder):
        "Write the folder, each file whole or not at all."
        folder = Path(folder)
        self.representation.save(folder)
        save_examples(folder/EXAMPLES_FILE, self.examples)
        write_json(folder/MODEL, {"format": 1, **self.about})

def reconstructed(basis, waves, batch=16):  # (n, samples)
    "Coded and decoded, (n, samples) float32."
    return np.concatenate([basis.decode(basis.encode(waves[i:i + batch])).numpy() for i in range(0, len(waves), batch)])

def load_trained(folder):  # of a run, or of its model
    "A `TrainedBasis`. `InputError` if there is none, or it is of another kind."
    basis, inside = load_basis(folder), Path(folder)/"model" if (Path(folder)/"model").is_dir() else Path(folder)
    about = read_about(inside/MODEL)
    if about.get("kind") != "basis": raise InputError(f"{folder}: a GAN that learned in a basis; give the run of the basis itself")
    return TrainedBasis(basis, about, load_examples(inside/EXAMPLES_FILE))

@patch
def trained(self:BasisModel, about):
    "What has been learned so far."
    basis = basis_of(held(self.encoder), held(self.decoder), hop=self.row.hop, samples=self.samples, rate=self.rate)
    return TrainedBasis(basis.fit(self.training[i:i + 32] for i in range(0, len(self.training), 32)), about, self.examples)

# %%
#| exports
HEARD = 256  # training clips by which the code's unit is set

def build_basis(row, clips, *, seed=0):
    "A `BasisModel` for a dataset. `InputError` where they do not go together."
    if row.auxiliary == "classifier" and not clips.states:
        raise InputError(f"{clips.folder}: this row learns to show notes, and the dataset has none; prepare maestro or piano, or choose basis_plain")
    if clips.samples < row.excerpt: raise InputError(f"{clips.folder}: clips of {clips.samples} samples are shorter than the excerpts to learn from; prepare clips of at least {row.excerpt}")
    train, heard = clips.where("train"), held_out(clips)
    if not len(train): raise InputError(f"{clips.folder}: no clips in the train split; it has {clips.manifest['counts']}")
    some = lambda rows, n: clips.waves(rows[np.linspace(0, len(rows) - 1, min(n, len(rows))).astype(int)])
    keras.utils.clear_session(free_memory=False)  # as for a GAN: names order the graph
    keras.utils.set_random_seed(seed)
    return BasisModel(row, samples=clips.samples, rate=clips.rate, seed=seed, examples=some(heard, EXAMPLES), training=some(train, HEARD))

def held_out(clips):
    "The clips of the first of test, validation and train that has any."
    return next(rows for split in ("test", "validation", "train") if len(rows := clips.where(split)) or split == "train")

def train_basis(
    row,              # a name in `BASES`
    data,             # a prepared folder, or `digits` or `piano`
    out,              # the run's folder; if there is a run, it goes on
    *,
    steps=None,       # updates of the filters in all
    minutes=None,     # or: how long to train in all
    filters=None, batch=None, learning_rate=None, frozen=None,  # None: the row's
    save_every=None,  # updates between two checkpoints; None: a tenth of the run, at most 1000
    save_minutes=5,   # and at most so long between them
    step=None,        # go back to this checkpoint first
    seed=0, callbacks=(), quiet=False, say=print,
):                    # a `TrainedBasis`
    "Train a basis, or go on with it. `InputError` for anything that does not fit; what was done is kept."
    tf.config.optimizer.set_experimental_options({"remapping": False})  # as in `train`
    steps = check_length(steps, minutes, 1500)
    run, clips = Run(out), load_clips(data)
    chosen = choose_basis(row, filters=filters, batch=batch, learning_rate=learning_rate, frozen=frozen)
    about = describe(row, chosen, clips, data, seed) | {"kind": "basis"}
    run.check(about)
    with on_disk(out):
        model = build_basis(chosen, clips, seed=seed)
        if not run.about: run.claim(about, model)
        return follow(run, model, clips, about, steps=steps, minutes=minutes, save_every=save_every, save_minutes=save_minutes, step=step, team=Team(),
                      callbacks=callbacks, quiet=quiet, say=say, load=load_trained)

# %%
folder = Path(tempfile.mkdtemp())
small = dict(steps=3, filters=16, batch=2, quiet=True, save_every=1)
for row in BASES: print(finished.train_basis(row, "piano", folder/row, **small))
print(*sorted(p.name for p in (folder/"basis_plain").iterdir())); print(*sorted(p.name for p in (folder/"basis_plain"/"model").iterdir()))

# %% [markdown]
# Stopped after the first update and taken up again, it ends in the same bits:

# %%
for row in BASES:
    finished.train_basis(row, "piano", folder/"halves"/row, **small)
    for later in (2, 3): Run(folder/"halves"/row).checkpoint(later).unlink()
    finished.train_basis(row, "piano", folder/"halves"/row, **small)
    one, two = (stored(Run(folder/where/row).checkpoint(3))[0] for where in ("", "halves"))
    assert one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)

# %% [markdown]
# ## How good is it?
#
# The scale-invariant signal-to-distortion ratio (Le Roux and others 2019) forgives a wrong volume and nothing else:
#
# $$\text{SI-SDR} = 10 \log_{10} \frac{\|\alpha x\|^2}{\|\alpha x - \hat x\|^2}, \qquad \alpha = \frac{\langle \hat x, x \rangle}{\|x\|^2}.$$

# %%
#| exports
def si_sdr_db(clean, found):  # (n, samples) twice
    "Scale-invariant signal-to-distortion ratio, (n,) dB; NaN where there is nothing to reconstruct."
    clean, found = np.asarray(clean, np.float64), np.asarray(found, np.float64)
    size = (clean**2).sum(1)
    wanted = ((clean * found).sum(1) / np.maximum(size, 1e-300))[:, None] * clean
    rest = ((wanted - found)**2).sum(1)
    return np.where(size > 0, 10 * np.log10(np.maximum((wanted**2).sum(1), 1e-300) / np.maximum(rest, 1e-300)), np.nan)

def mean_of(values, seed=0):  # (n,); NaN: does not count
    "The mean and its interval over clips drawn again and again: an `Estimate`. `InputError` where fewer than two count."
    values = np.asarray(values, float)[np.isfinite(values)]
    if len(values) < 2: raise InputError(f"{len(values)} clips that say anything: give at least two")
    return bootstrap(lambda counts: counts @ values / counts.sum(), len(values), seed=seed)

def reconstruction(basis, clips):
    "The SI-SDR of held-out clips, an `Estimate` in dB."
    waves = clips.waves(held_out(clips))
    return mean_of(si_sdr_db(waves, reconstructed(basis, waves)))

# %%
x, error = rng.normal(size=(2, 1, 100_000))
error -= (error * x).sum() / (x * x).sum() * x  # nothing of the sound itself in it
assert np.allclose(si_sdr_db(x, 0.3 * (x + 0.1 * error)), 20 - 10 * np.log10((error**2).sum() / (x**2).sum())) and np.isnan(si_sdr_db(0 * x, x)[0])
si_sdr_db(x, x + 0.1 * error), si_sdr_db(wave, noisy)

# %% [markdown]
# Does a code show the notes? The *average precision* is the mean share of right ones among those that a classifier is surest of, over all depths of the list; one that guesses reaches the share of keys that are down, the *base rate*. Below for each
# held-out clip, over all keys, the pedal, and 64 moments; and to compare, the same classifier trained beside filters that stay as they were drawn.

# %%
#| exports
MOMENTS = 64  # of each clip, at which notes are asked for

def restored(folder):  # of a run
    "The `BasisModel` of a run, as it was at the newest checkpoint, and its dataset's name."
    run = Run(folder)
    about = run.about
    if about is None or about.get("kind") != "basis": raise InputError(f"{folder}: no run of a basis here; train one with audiosynth train basis_classifier")
    row, form = Basis(**about["experiment"]), load_basis(folder)
    model = BasisModel(row, samples=form.samples, rate=form.rate, seed=about["seed"])
    run.restore(model)
    return model, about["data"]["name"]

def note_precision(model, clips):  # a `BasisModel` of `basis_classifier`; a dataset with notes
    "Of each held-out clip with notes: average precision, base rate, (clips,) each."
    from sklearn.metrics import average_precision_score
    if model.row.auxiliary != "classifier": raise InputError(f"a basis of {model.row.published}: only basis_classifier says notes")
    rows, hop, pairs = held_out(clips), model.row.hop, []
    for i in rows:
        code = analysed(tf.constant(clips.waves([i])), tf.convert_to_tensor(model.encoder), hop=hop)
        at = np.linspace(0, code.shape[1] - 1, MOMENTS).astype(int)
        truth = notes_of(clips, np.array([i]), np.zeros(1, int), code.shape[1], hop)[0, at]
        said = model.network(tf.gather(code[0], at)).numpy()
        if truth.any(): pairs.append((average_precision_score(truth.ravel(), said.ravel()), truth.mean()))
    return np.array(pairs).T

# %%
precision, base = finished.note_precision(finished.restored(folder/"basis_classifier")[0], clips)
print(f"after 3 updates: SI-SDR {finished.reconstruction(load_basis(folder/'basis_plain'), clips)} dB, average precision {mean_of(precision)}, base rate {mean_of(base)}")
assert len(precision) and (precision >= 0).all() and (base < 0.2).all()

# %% [markdown]
# ## A hundred updates
#
# What a laptop does in seconds: L1 falls fast. What becomes of longer runs, on piano and on speech, is in the results.

# %%
tail = finished.train_basis("basis_plain", "piano", folder/"longer", steps=120, quiet=True)
log = read_log(folder/"longer")
ax = plt.subplots(figsize=(6, 2.2), dpi=80, layout="constrained")[1]
ax.semilogy(log["step"], log["l1"]); ax.set(xlabel="updates", ylabel="L1")
print(tail, f"\nSI-SDR {finished.reconstruction(tail.representation, clips)} dB")
assert log["l1"][-1] < 0.5 * log["l1"][0]

# %% [markdown]
# What does not go is said in one line.

# %%
for bad in (lambda: finished.train_basis("basis_plane", "piano", folder/"new"), lambda: finished.train_basis("basis_classifier", "digits", folder/"new"), lambda: finished.train_basis("basis_critic", "piano", folder/"basis_plain"),
            lambda: finished.train_basis("basis_plain", "piano", folder/"basis_plain", **{**small, "filters": 8}), lambda: finished.restored(folder)):
    try: bad()
    except InputError as error: print(str(error).replace(str(folder), "runs").replace(str(load_clips("digits").folder), "digits"))
    else: assert False

# %%
#| hide
shutil.rmtree(folder)

# %%
#| hide
import nbdev; nbdev.nbdev_export()
