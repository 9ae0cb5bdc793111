# ---
# jupyter:
#   kernelspec:
#     display_name: python3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # An atlas of a basis
#
# > What a training found, to look at and to hear: the filters in time and in frequency, beside the scales of hearing; the figures; the code of a clip beside its STFT. One command.

# %%
#| default_exp atlas

# %%
#| hide
import os
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# %%
#| export
import html
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import soundfile as sf

from audiosynth.bases import load_trained, mean_of, reconstructed, si_sdr_db
from audiosynth.curves import write_whole
from audiosynth.datasets import InputError, pcm16
from audiosynth.experiments import write_json
from audiosynth.filters import BANDS, SCALES, bandwidth_hz, by_distance, by_frequency, centre_hz, density, figures, noise_gain_db, responses
from audiosynth.listen import _STYLE, _rows, plot_spectrogram
from audiosynth.noise import noise_at_snr
from audiosynth.with_phase import RealImaginary

# %%
import shutil, tempfile

from audiosynth.bases import TrainedBasis
from audiosynth.basis import basis_of, cosine_basis
from audiosynth.sources import load_clips

# %% [markdown]
# The cosine basis is known, so it shows what to expect. First the filters themselves, a row of the picture for each: the encoder's and, beside each, the decoder's, in time and as level against frequency.

# %%
#| exports
ORDERS = {"frequency": by_frequency, "distance": by_distance}  # of the encoder's filters

def plot_filters(basis, order="frequency"):  # a `LearnedBasis`; a name in `ORDERS`
    "Encoder and decoder in time and in frequency, in one order. Returns the figure."
    encoder, decoder = (basis.statistics[name] for name in ("encoder", "decoder"))
    rows = ORDERS[order](encoder)
    figure, axes = plt.subplots(1, 4, figsize=(11, 4.4), dpi=80, layout="constrained", sharey=True)
    for (name, filters), pair in zip((("encoder", encoder), ("decoder", decoder)), (axes[:2], axes[2:])):
        most, level = np.abs(filters).max() or 1, 10 * np.log10(responses(filters[:, rows]).T + 1e-12)
        pair[0].imshow(filters[:, rows].T, aspect="auto", origin="lower", cmap="RdBu", vmin=-most, vmax=most, interpolation="nearest")
        pair[0].set(title=f"{name}, time", xlabel="samples")
        pair[1].imshow(level, aspect="auto", origin="lower", cmap="magma", vmin=level.max() - 50, vmax=level.max(), extent=(0, basis.rate / 2000, -0.5, basis.filters - 0.5), interpolation="nearest")
        pair[1].set(title=f"{name}, frequency", xlabel="kHz")
    axes[0].set(ylabel={"frequency": "filters by centre frequency", "distance": "filters by distance from the smallest"}[order])
    return figure

# %%
cosine = cosine_basis()
for order in ORDERS: plot_filters(cosine, order)

# %% [markdown]
# Beside the scales of hearing: how the centres are spread, how many lie in each band, and how wide the filters are. A filter whose norm is less than a thousandth of the largest is not drawn.

# %%
#| exports
def plot_scales(basis):
    "Centres, density and bandwidths of the encoder's filters beside linear, mel and ERB. Returns the figure."
    filters = basis.statistics["encoder"]
    norms = np.linalg.norm(filters, axis=0)
    filters, half = filters[:, norms > 1e-3 * norms.max()], basis.rate / 2
    centres, wide = centre_hz(filters, rate=basis.rate), bandwidth_hz(filters, rate=basis.rate)
    figure, (rank, bands, width) = plt.subplots(1, 3, figsize=(11, 3), dpi=80, layout="constrained")
    grid, n = np.linspace(0, half, 400), len(centres)
    rank.plot(np.arange(n), np.sort(centres) / 1000, color="k", label="found")
    for name, scale in SCALES.items(): rank.plot(n * scale(grid) / scale(half), grid / 1000, ls="--", lw=1, label=name)
    rank.set(xlabel="filters", ylabel="centre (kHz)"); rank.legend(fontsize="small")
    counts, middle = density(centres, rate=basis.rate), (np.arange(BANDS) + 0.5) * half / BANDS / 1000
    bands.bar(middle, counts["found"], width=0.9 * half / BANDS / 1000, color="0.7", label="found")
    for name in SCALES: bands.plot(middle, counts[name], ls="--", lw=1, label=name)
    bands.set(xlabel="kHz", ylabel="filters in a band")
    width.plot(centres / 1000, wide, ".", ms=3, color="k"); width.plot(grid / 1000, 24.7 * (1 + 0.00437 * grid), "--", lw=1, color="C2", label="ERB of hearing")
    width.axhline(basis.rate / basis.window, ls=":", lw=1, color="0.5", label="a rectangle's"); width.set(xlabel="centre (kHz)", ylabel="bandwidth (Hz)", ylim=(0, None)); width.legend(fontsize="small")
    return figure

# %%
plot_scales(cosine);

# %% [markdown]
# A clip's code, its filters sorted by centre, beside the STFT of the same clip.

# %%
#| exports
def plot_code(basis, wave):  # (samples,)
    "The code of a clip beside its spectrogram. Returns the figure."
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2), dpi=80, layout="constrained")
    code = 20 * np.log10(basis.encode(wave[None]).numpy()[0][:, by_frequency(basis.statistics["encoder"])].T + 1e-6)
    image = left.imshow(code, origin="lower", aspect="auto", cmap="magma", vmin=code.max() - 60, vmax=code.max(), extent=(0, len(wave) / basis.rate, 0, basis.filters))
    left.set(title="code", xlabel="time (s)", ylabel="filters by centre frequency"); figure.colorbar(image, ax=left, label="dB", pad=0.01)
    plot_spectrogram(wave, rate=basis.rate, ax=right); right.set(title="STFT")
    return figure

# %%
clips = load_clips("piano")
waves = clips.waves(clips.where("test")[::8][:4])
cosine.fit([waves])
plot_code(cosine, waves[0]);

# %% [markdown]
# ## Noise, for any representation
#
# The noise gain of `filters` follows from a formula for a basis. Measured, it can be compared with that of the STFT's decoder: 20 dB of SNR on the code, and how many dB the sound has.

# %%
#| exports
def measured_gain_db(representation, waves, *, snr_db=20.0, seed=0):  # (clips, samples)
    "The SNR of the sound less that of its code, with white noise on all codes, dB."
    code, rng = representation.encode(waves).numpy(), np.random.default_rng(seed)
    clean = representation.decode(code).numpy().astype(np.float64)
    rest = representation.decode((code + noise_at_snr(code, snr_db, rng=rng)).astype(np.float32)).numpy() - clean
    return float(10 * np.log10((np.asarray(waves, np.float64)**2).mean() / (rest**2).mean()) - snr_db)

def stft_gain_db(waves, *, rate=16000):
    "The same of the STFT with frames of 512 samples and hops of 128."
    waves = waves[:, :waves.shape[1] // 128 * 128]
    stft = RealImaginary(waves.shape[1], rate)
    stft.statistics["peak"] = np.ones(257, np.float32)
    return measured_gain_db(stft, waves)

# %%
said = noise_gain_db(waves, cosine.encode(waves).numpy() * cosine.statistics["unit"], cosine.statistics["decoder"], hop=16)
print(f"cosines: measured {measured_gain_db(cosine, waves):.2f} dB, by the formula {said:.2f}; STFT measured {stft_gain_db(waves):.2f}")
assert abs(measured_gain_db(cosine, waves) - said) < 0.1 and abs(stft_gain_db(waves) - 10 * np.log10(4)) < 0.5

# %% [markdown]
# ## The command

# %%
#| exports
PICTURES = {"filters_by_frequency.png": "The filters, by centre frequency", "filters_by_distance.png": "The filters, by distance from the smallest one",
            "scales.png": "Beside linear, mel and ERB", "code.png": "A clip's code beside its STFT"}
PLAYED = 6  # clips on the page

def atlas(
    run,  # the folder of a run that learned a basis, or of its model
    out,  # folder: pictures, atlas.json, sounds, index.html
):        # dict: what atlas.json says
    "Look at a learned basis, and listen to it. `InputError` if there is none."
    trained, out = load_trained(run), Path(out)
    if out.exists() and not out.is_dir(): raise InputError(f"{out}: is a file; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    basis, waves = trained.representation, trained.examples
    sounding = np.abs(waves).max(1).argsort(kind="stable")[::-1]
    found = measured(trained)
    drawn = plot_filters(basis), plot_filters(basis, "distance"), plot_scales(basis), plot_code(basis, waves[sounding[0]])
    for name, figure in zip(PICTURES, drawn): figure.savefig(out/name, dpi=110); plt.close(figure)
    write_json(out/"atlas.json", found)
    _page(out, trained, found)
    return found

def measured(trained):  # a `TrainedBasis`
    "All figures of a basis, with those that need sounds."
    basis, waves = trained.representation, trained.examples
    gain = noise_gain_db(waves, basis.encode(waves).numpy() * basis.statistics["unit"], basis.statistics["decoder"], hop=basis.hop)
    return {"row": trained.about.get("row"), "updates": trained.about.get("step"), "data": trained.about.get("data"), "noise_gain_db": gain, "noise_gain_measured_db": measured_gain_db(basis, waves),
            "stft_noise_gain_db": stft_gain_db(waves, rate=basis.rate), "si_sdr_db": list(mean_of(si_sdr_db(waves, reconstructed(basis, waves)))), **figures(basis)}

# %%
#| exports
def report(found):  # what `atlas` gave
    "The figures in words."
    condition = "infinite" if found["condition"] is None else f"{found['condition']:.3g}"
    nearest = min(found["encoder"]["distance_from_scale"].items(), key=lambda pair: pair[1])
    low, middle, high = np.percentile(found["encoder"]["bandwidth_hz"], [25, 50, 75])
    return "\n".join([
        f"{found['row']}, {found['updates']:,} updates on {found['data']}: {found['used']} of {found['filters']} filters in use, redundancy {found['redundancy']:g}",
        f"SI-SDR of its sounds {found['si_sdr_db'][0]:.1f} dB [{found['si_sdr_db'][1]:.1f}, {found['si_sdr_db'][2]:.1f}]",
        f"encoder: condition number {condition}; bandwidths {low:.0f}, {middle:.0f}, {high:.0f} Hz (quartiles); of linear, mel and ERB its centres are nearest to {nearest[0]} ({nearest[1]:.2f} apart)",
        f"decoder: {found['inverse_distance']:.2f} from the pseudo-inverse (0 the same, 1 nothing in common), {found['inverse_factor']:.2f} times as loud",
        f"noise on the code: the sound's SNR is {found['noise_gain_measured_db']:+.1f} dB from the code's; with the STFT {found['stft_noise_gain_db']:+.1f} dB"])

def _page(out, trained, found):
    "`index.html`, and the sounds as WAV files."
    waves = trained.examples[:PLAYED]
    back, rows = reconstructed(trained.representation, waves), []
    for i, pair in enumerate(zip(waves, back)):
        for kind, wave in zip(("original", "reconstruction"), pair): sf.write(out/f"{i:02d}-{kind}.wav", pcm16(wave), trained.rate)
        rows.append((f"clip {i}", [("original", pair[0]), ("reconstruction", pair[1])]))
    pictures = "".join(f'<h2>{title}</h2><img src="{name}" alt="{title}" style="max-width:100%;background:#fff">' for name, title in PICTURES.items())
    write_whole(out/"index.html", '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
                f"<title>A learned basis</title><style>{_STYLE}</style></head><body><main><h1>A learned basis</h1><p>{html.escape(report(found))}</p>\n{_rows(rows, trained.rate)}{pictures}</main></body></html>\n")

# %%
folder = Path(tempfile.mkdtemp())
TrainedBasis(cosine, {"kind": "basis", "row": "cosines", "data": "piano"}, waves).save(folder/"run")
found = atlas(folder/"run", folder/"atlas")
print(report(found)); print(*sorted(p.name for p in (folder/"atlas").iterdir()), sep=", ")
assert found["condition"] < 1 + 1e-6 and found["redundancy"] == 4 and found["si_sdr_db"][0] > 90

# %%
for bad in (lambda: atlas(folder, folder/"new"), lambda: atlas(folder/"run", folder/"run"/"model.json")):
    try: bad()
    except InputError as error: print(str(error).replace(str(folder), "runs"))
    else: assert False

# %%
#| hide
shutil.rmtree(folder)

# %%
#| hide
import nbdev; nbdev.nbdev_export()
