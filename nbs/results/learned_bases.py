# ---
# jupyter:
#   kernelspec:
#     display_name: python3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Learned bases
#
# > Eight trainings on piano and on real spoken digits: what filters they found, what each second aim changed, by figure, by picture and by ear.

# %%
#| hide
import os
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from audiosynth.atlas import measured, plot_code, plot_filters, plot_scales
from audiosynth.bases import held_out, load_trained, mean_of, note_precision, reconstructed, restored, si_sdr_db, train_basis
from audiosynth.curves import of_setup, plot_curves, read_scores
from audiosynth.listen import players
from audiosynth.robustness import robustness
from audiosynth.runs import read_log
from audiosynth.sources import load_clips

# %%
#| hide
tf.get_logger().setLevel("ERROR")  # several models in one notebook: it would remark on each

# %% [markdown]
# The runs, each on one thread, two at a time on two cores; given again, the lines go on where they were stopped, and where they are finished they take seconds:
#
# ```
# audiosynth prepare fsdd --from free-spoken-digit-dataset-excerpt.tar.gz --out data/fsdd
# for row in plain critic perceptual; do
#   audiosynth train basis_$row --data piano --out runs/bases/piano_$row --steps STEPS_ONE
#   audiosynth train basis_$row --data data/fsdd --out runs/bases/digits_$row --steps STEPS_ONE
# done
# audiosynth train basis_classifier --data piano --out runs/bases/piano_classifier --steps STEPS_NOTES
# audiosynth train basis_classifier --data piano --frozen-encoder --out runs/bases/piano_frozen --steps STEPS_NOTES
# audiosynth robustness slt minuet --bases runs/bases/piano_* runs/bases/digits_* --representations waveform,stft,log_magnitude --snrs=-10,0,10,20,30,40,50 --repeats 2 --seconds 2 --out runs/bases/robustness
# ```
#
# Where they are not to be found, this notebook makes trials of a few updates, so that its cells can be tried anywhere; what is stored here is of the real ones.

# %%
RUNS, DATA = Path("../../runs/bases"), Path("../../data/fsdd")
ROWS = {"piano": ("plain", "classifier", "frozen", "critic", "perceptual"), "digits": ("plain", "critic", "perceptual")}
names = [f"{sounds}_{row}" for sounds, rows in ROWS.items() for row in rows]
real = all((RUNS/name/"model").exists() for name in names) and (RUNS/"robustness"/"scores.csv").exists()
data = {"piano": "piano", "digits": DATA if real else "digits"}
if not real:
    RUNS = Path(tempfile.mkdtemp())
    for sounds, rows in ROWS.items():
        for row in rows: train_basis("basis_" + row.replace("frozen", "classifier"), data[sounds], RUNS/f"{sounds}_{row}", frozen=row == "frozen" or None, steps=3, filters=32, batch=2, quiet=True)
    robustness(["slt", "minuet"], RUNS/"robustness", representations=["waveform"], bases=[RUNS/"piano_plain"], snrs_db=(0, 20), repeats=1, seconds=0.6, workers=1, quiet=True)
made = {name: load_trained(RUNS/name) for name in names}
clips = {sounds: load_clips(where) for sounds, where in data.items()}
print("the real runs" if real else "a trial", {name: f"{found.about['step']:,} updates" for name, found in made.items()})

# %% [markdown]
# ## How they learned
#
# L1 against the clean excerpt, with noise of σ 0.05 on the input: what remains at the end is mostly what the noise leaves.

# %%
ax = plt.subplots(1, 2, figsize=(10, 2.8), dpi=80, layout="constrained", sharey=True)[1]
for axis, (sounds, rows) in zip(ax, ROWS.items()):
    for row in rows:
        log = read_log(RUNS/f"{sounds}_{row}")
        axis.loglog(log["step"], np.convolve(np.pad(log["l1"], 4, "edge"), np.ones(9) / 9, "valid"), lw=1, label=row)
    axis.set(title=sounds, xlabel="updates", ylabel="L1"); axis.legend(fontsize="small")

# %% [markdown]
# ## The sounds come back
#
# Clips of pieces and takes that were not trained on, without noise. The mean SI-SDR and its 95 % interval over clips; what is silent does not count.

# %%
si_sdr = {}
for name, found in made.items():
    held = clips[name.split("_")[0]]
    waves = held.waves(held_out(held))
    si_sdr[name] = si_sdr_db(waves, reconstructed(found.representation, waves))
    print(f"{name:18} {mean_of(si_sdr[name])} dB, {len(waves)} clips")

# %%
rows = []
for sounds, kinds in ROWS.items():
    waves = made[f"{sounds}_plain"].examples
    i = int(np.abs(waves).max(1).argmax())
    rows.append((sounds, [("the clip", waves[i])] + [(row, made[f"{sounds}_{row}"].generate(len(waves))[i]) for row in kinds if row != "frozen"]))
players(rows)

# %% [markdown]
# ## What noise on the code does
#
# By how many dB the sound's SNR is better than the code's, with white noise on the code: the noise gain, measured, and what redundancy alone would give a linear tight frame. The bandwidths are the encoder's quartiles, scale says to which of linear, mel and ERB
# its centres come nearest, and how near (0 is even on that scale), and *apart* how far the decoder is from the pseudo-inverse.

# %%
found = {name: measured(each) for name, each in made.items()}
print(f"{'':18}{'in use':>7}{'condition':>10}{'apart':>7}{'factor':>8}{'gain dB':>9}{'STFT dB':>9}{'bandwidth Hz':>18}   scale")
for name, f in found.items():
    scale, far = min(f["encoder"]["distance_from_scale"].items(), key=lambda pair: pair[1])
    quartiles = "{:.0f}, {:.0f}, {:.0f}".format(*np.percentile(f["encoder"]["bandwidth_hz"], [25, 50, 75]))
    condition = "∞" if f["condition"] is None else f"{f['condition']:.2f}"
    print(f"{name:18}{f['used']:7}{condition:>10}{f['inverse_distance']:7.2f}{f['inverse_factor']:8.2f}{f['noise_gain_measured_db']:9.1f}{f['stft_noise_gain_db']:9.1f}{quartiles:>18}   {scale} {far:.2f}")

# %% [markdown]
# And through the ear's scores: recordings with noise on every component, as in the robustness study, the learned bases beside the waveform and the STFT.

# %%
scores = read_scores(RUNS/"robustness")
for kind in dict.fromkeys(row["kind"] for row in scores):
    here = of_setup(scores, (512, 128), kind=kind)
    shown = [score for score in ("pesq", "visqol") if any(np.isfinite(row[column]) for row in here for column in row if column.startswith(score))]
    axes = plt.subplots(1, max(1, len(shown)), figsize=(5 * max(1, len(shown)) + 1.5, 3.6), dpi=80, layout="constrained", squeeze=False)[1][0]
    for axis, score in zip(axes, shown): plot_curves(here, score, ax=axis, components=False)
    axes[0].set(title=kind); axes[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small", frameon=False)

# %% [markdown]
# ## The notes in the code
#
# The same classifier on the code of `basis_classifier`, whose filters were trained with it, and on that of filters that stayed as they were drawn. Average precision over the held-out clips with notes, beside what guessing gets, and the difference clip by clip.

# %%
precision = {row: note_precision(restored(RUNS/f"piano_{row}")[0], clips["piano"]) for row in ("classifier", "frozen")}
for row, (each, base) in precision.items(): print(f"{row:12} {mean_of(each)}, guessing {mean_of(base)}, {len(each)} clips")
print(f"difference   {mean_of(precision['classifier'][0] - precision['frozen'][0])}")

# %% [markdown]
# ## The filters
#
# Those of the plain rows, by centre frequency; then beside the scales of hearing; and by distance from the smallest, for the piano.

# %%
for sounds in ROWS: plot_filters(made[f"{sounds}_plain"].representation).suptitle(f"{sounds}, plain")

# %%
for sounds in ROWS: plot_scales(made[f"{sounds}_plain"].representation).suptitle(f"{sounds}, plain")

# %%
plot_filters(made["piano_plain"].representation, "distance").suptitle("piano, plain");

# %% [markdown]
# What the second aims did to the piano's filters:

# %%
for row in ("classifier", "critic", "perceptual"): plot_filters(made[f"piano_{row}"].representation).suptitle(f"piano, {row}")

# %% [markdown]
# A clip's code beside its STFT, of either kind of sound:

# %%
for sounds in ROWS:
    waves = made[f"{sounds}_plain"].examples
    plot_code(made[f"{sounds}_plain"].representation, waves[np.abs(waves).max(1).argmax()])
