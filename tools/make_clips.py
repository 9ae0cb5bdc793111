# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Make the embedded clips again: audiosynth/embedded/digits and audiosynth/embedded/piano.

    python tools/make_clips.py            write both sets
    python tools/make_clips.py --check    make them in a temporary folder and compare

The result is the same byte for byte with the versions that the manifests record; another version
of a synthesiser, of the resampler or of the FLAC encoder may change some bytes, and --check says
which.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pretty_midi
import soundfile
import soxr
from scores import QUARTERS_TO_RING, SCORES

RATE = 16000
DATA = Path(__file__).resolve().parent.parent / "audiosynth" / "embedded"
PACKAGES = ["flite", "fluidsynth", "fluid-soundfont-gm"]
SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")

WORDS = "zero one two three four five six seven eight nine".split()
VOICE_PITCH_HZ = {
    "slt": 180,
    "awb": 137,
    "kal16": 100,
    "rms": None,
}  # the voice's own; rms ignores the setting
VARIANTS = 16
SPLIT_OF_VARIANT = ["train"] * 12 + ["validation"] * 2 + ["test"] * 2
MARGIN_S, LONGEST_S = 0.03, 0.98
PEAK_DB, SPREAD_DB = -6.0, 3.0

TICKS_PER_QUARTER, MIDI_TEMPO = 960, 125  # a tick is exactly half a millisecond
ATTACK_S = 0.0042  # constant delay of the rendered attacks, cut off the front
PIANO_GAIN = 2.0

OURS = (
    "Apache-2.0, like the rest of this project: "
    "the recipes, the performances and the rendered files. "
)
DIGITS_LICENCE = OURS + (
    "Rendered by flite and its voices, Copyright Carnegie Mellon University, whose own "
    "permissive licence "
    "(free use, modification and distribution; keep the notice) is quoted in ../NOTICE.md; it "
    "asks nothing of the speech it renders."
)
PIANO_LICENCE = OURS + (
    "The music is in the public domain and was encoded by us. The piano is the first preset of "
    "the Fluid (R3) sound font, "
    "Copyright 2000-2002, 2008 Frank Wen, 2008 Toby Smithe, MIT licence, quoted in ../NOTICE.md."
)


def dpkg_version(package):
    try:
        return subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", package],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def versions():
    """What the bytes depend on. Ends the program if something is missing, and says what to type."""
    found = {package: dpkg_version(package) for package in PACKAGES}
    missing = [package for package, version in found.items() if not version]
    if missing:
        sys.exit(
            f"make_clips: {', '.join(missing)} not installed; type: sudo apt-get install "
            f"{' '.join(missing)}"
        )
    return found | {
        "soxr": soxr.__version__,
        "libsndfile": soundfile.__libsndfile_version__,
        "numpy": np.__version__,
        "pretty_midi": pretty_midi.__version__,
    }


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_flac(path, wave):
    """16-bit FLAC of a wave in −1…1: np.round(wave * 32767)."""
    soundfile.write(
        path,
        np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16),
        RATE,
        subtype="PCM_16",
        compression_level=1.0,
    )


# --- digits ---------------------------------------------------------------------------------------


def digit_recipe(word, voice, variant):
    """Settings drawn from (word, voice, variant) alone.

    `tract` is a small change of sampling rate: it moves the formants as another vocal tract would.
    Pace and pitch are then corrected for it where the voice allows."""
    chance = np.random.default_rng([WORDS.index(word), list(VOICE_PITCH_HZ).index(voice), variant])
    pace = np.exp(chance.uniform(np.log(0.75), np.log(1.35)))
    pitch = np.exp(chance.uniform(np.log(0.85), np.log(1.2)))
    tract = np.exp(chance.uniform(np.log(0.95), np.log(1.06)))
    stddev_hz = chance.uniform(5, 25)
    peak_db = PEAK_DB + chance.uniform(-SPREAD_DB, SPREAD_DB)
    own_hz = VOICE_PITCH_HZ[voice]
    if own_hz is None:  # pitch by the change of rate alone
        tract = np.exp(chance.uniform(np.log(0.88), np.log(1.14)))
    if voice == "kal16":  # a diphone voice: wider movements leap an octave
        stddev_hz /= 2
    recipe = {
        "voice": voice,
        "variant": variant,
        "duration_stretch": round(pace * tract, 4),
        "tract": round(tract, 4),
    }
    if own_hz is not None:
        recipe |= {
            "int_f0_target_mean": round(own_hz * pitch / tract, 2),
            "int_f0_target_stddev": round(stddev_hz, 2),
        }
    return recipe | {"peak_db": round(peak_db, 2)}


def speak(word, recipe, folder):
    """flite's rendering, moved by `tract`, at 16 kHz."""
    path = folder / "flite.wav"
    settings = [
        f"--setf={k}={recipe[k]}".split("=", 1)
        for k in recipe
        if k.startswith(("duration", "int_f0"))
    ]
    command = ["flite", "-voice", recipe["voice"], *sum(settings, []), "-t", word, "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    wave, rate = soundfile.read(path)
    assert rate == RATE, f"{recipe['voice']} renders at {rate} Hz"
    return soxr.resample(wave, RATE * recipe["tract"], RATE, quality="VHQ")


def trim(wave):
    """Cut silence (5 ms blocks 40 dB below the loudest) at both ends but a margin; fade 5 ms."""
    block = RATE // 200
    level = np.sqrt(np.mean(wave[: len(wave) // block * block].reshape(-1, block) ** 2, axis=1))
    loud, margin = np.flatnonzero(level > level.max() / 100), int(MARGIN_S * RATE)
    wave = wave[max(0, loud[0] * block - margin) : (loud[-1] + 1) * block + margin].copy()
    fade = np.linspace(0, 1, block)
    wave[:block] *= fade
    wave[-block:] *= fade[::-1]
    return wave


def make_digit(job):
    word, voice, variant, out = job
    recipe = digit_recipe(word, voice, variant)
    with tempfile.TemporaryDirectory() as folder:
        wave = trim(speak(word, recipe, Path(folder)))
        while len(wave) > LONGEST_S * RATE:
            recipe["duration_stretch"] = round(0.93 * recipe["duration_stretch"], 4)
            wave = trim(speak(word, recipe, Path(folder)))
    wave *= 10 ** (recipe["peak_db"] / 20) / np.abs(wave).max()
    path = out / f"{word}_{voice}_{variant:02}.flac"
    write_flac(path, wave)
    return {
        "file": path.name,
        "label": word,
        "group": voice,
        "split": SPLIT_OF_VARIANT[variant],
        "recipe": recipe,
        "sha256": sha256(path),
        "samples": len(wave),
    }


def make_digits(out):
    jobs = [
        (word, voice, variant, out)
        for word in WORDS
        for voice in VOICE_PITCH_HZ
        for variant in range(VARIANTS)
    ]
    with ThreadPoolExecutor(2) as pool:
        clips = list(pool.map(make_digit, jobs))
    how = (
        "Ten words by four voices of flite in 16 variants. Every variant draws, seeded by (word, "
        "voice, variant), a pace of "
        "0.75 to 1.35 times the voice's own, a pitch of 0.85 to 1.2 times (int_f0_target_mean), "
        "a pitch movement "
        "(int_f0_target_stddev), a change of sampling rate of 0.95 to 1.06 by soxr (`tract`: it "
        "moves the formants; pace and "
        "pitch are corrected for it) and a level. The voice rms ignores the pitch settings, so "
        "its pitch moves with `tract`, 0.88 to 1.14. "
        "Silence is cut to 30 ms at both ends, with 5 ms fades. Peaks lie within 3 dB of -6 dB "
        "of full scale. "
        "A clip longer than 0.98 s is spoken again at 0.93 times the length."
    )
    split_by = (
        "By rendering variant: 0 to 11 train, 12 and 13 validation, 14 and 15 test. Every voice "
        "is in every split: "
        "these splits measure unseen renderings, not unseen speakers."
    )
    return manifest("digits", DIGITS_LICENCE, how, split_by, WORDS, clips)


# --- piano ----------------------------------------------------------------------------------------


def perform(score, seed):
    """Score → MIDI.

    Rubato over four-bar phrases and a slower end, then velocity and timing that differ from
    note to note. Everything lands on half-millisecond ticks, in the file as in our ears."""
    chance = np.random.default_rng([seed])
    end = max(note.start + note.length for note in score.notes) + QUARTERS_TO_RING
    grid = np.arange(0, end + 1, 1 / 16)
    speed = 1 + 0.04 * np.sin(2 * np.pi * grid / 16) + 0.02 * np.sin(2 * np.pi * grid / 5.3 + 1)
    speed *= 1 - 0.3 * np.clip((grid - (end - 8)) / 8, 0, 1)
    seconds = 0.25 + np.concatenate(
        [[0], np.cumsum(60 / score.quarters_per_minute / 16 / speed[:-1])]
    )

    def at(quarter):
        return float(np.interp(quarter, grid, seconds))

    piano, sounding = pretty_midi.Instrument(0, name=score.title), {}
    for note in sorted(score.notes, key=lambda n: (n.start, n.pitch)):
        start = at(note.start) + float(np.clip(chance.normal(0, 0.006), -0.015, 0.015))
        phrase = 6 * np.sin(np.pi * (note.start % 16) / 16)
        velocity = int(np.clip(64 + 16 * note.stress + phrase + chance.normal(0, 3.5), 25, 112))
        if note.pitch in sounding:  # a key comes up before it is struck again
            sounding[note.pitch].end = min(sounding[note.pitch].end, start - 0.02)
        sounding[note.pitch] = pretty_midi.Note(
            velocity, note.pitch, start, at(note.start + note.length)
        )
        piano.notes.append(sounding[note.pitch])
    for down, up in score.pedal:
        piano.control_changes += [
            pretty_midi.ControlChange(64, value, at(q)) for value, q in ((127, down), (0, up))
        ]
    piano.control_changes.append(
        pretty_midi.ControlChange(64, 0, at(end))
    )  # the recording ends here
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=MIDI_TEMPO)
    midi.instruments.append(piano)
    return midi


def render(midi_path):
    """FluidSynth with FluidR3's grand piano at 44.1 kHz, no reverb, no chorus → mono at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        wav, config = Path(folder) / "piano.wav", Path(folder) / "none.conf"
        config.write_text("")  # so that nobody's own settings change the sound
        subprocess.run(
            [
                "fluidsynth",
                "-q",
                "-n",
                "-i",
                "-f",
                config,
                "-R",
                "0",
                "-C",
                "0",
                "-g",
                "0.5",
                "-r",
                "44100",
                "-o",
                "synth.cpu-cores=1",
                "-T",
                "wav",
                "-O",
                "float",
                "-F",
                wav,
                SOUND_FONT,
                midi_path,
            ],
            check=True,
            capture_output=True,
        )
        wave, rate = soundfile.read(wav)
    wave = soxr.resample(wave.mean(axis=1), rate, RATE, quality="VHQ")[round(ATTACK_S * RATE) :]
    samples = round(pretty_midi.PrettyMIDI(str(midi_path)).get_end_time() * RATE)
    wave = np.pad(wave, (0, max(0, samples - len(wave))))[:samples] * PIANO_GAIN
    wave[-RATE // 20 :] *= np.linspace(1, 0, RATE // 20)
    return wave


def make_piano(out):
    clips = []
    for seed, (name, compose) in enumerate(SCORES.items()):
        score = compose()
        midi, path = out / f"{name}.mid", out / f"{name}.flac"
        perform(score, seed).write(str(midi))
        wave = render(midi)
        assert np.abs(wave).max() < 1, (name, np.abs(wave).max())
        write_flac(path, wave)
        recipe = {
            "title": score.title,
            "midi": midi.name,
            "midi_sha256": sha256(midi),
            "seed": seed,
            "quarters_per_minute": score.quarters_per_minute,
        }
        clips.append(
            {
                "file": path.name,
                "label": None,
                "group": name,
                "split": score.split,
                "recipe": recipe,
                "sha256": sha256(path),
                "samples": len(wave),
            }
        )
    how = (
        "Scores written out in tools/scores.py, performed with seeded rubato, velocities, timing "
        "and sustain pedal (controller 64), "
        "written as MIDI with pretty_midi in ticks of half a millisecond, rendered from that "
        "MIDI by FluidSynth with FluidR3's grand piano "
        "at 44.1 kHz without reverb and chorus, both channels averaged, resampled to 16 kHz by "
        f"soxr; the first {1000 * ATTACK_S:g} ms, "
        f"the constant delay of the sampled attacks, cut off; one gain ({PIANO_GAIN}) for all "
        "pieces."
    )
    split_by = (
        "By piece: no piece is in two splits. The prelude, the scales and the cadences train, "
        "the arpeggios validate, the minuet tests."
    )
    return manifest("piano", PIANO_LICENCE, how, split_by, [], clips)


# --- both -----------------------------------------------------------------------------------------


def manifest(name, licence, how, split_by, labels, clips):
    return {
        "name": name,
        "rate": RATE,
        "licence": licence,
        "made_by": "tools/make_clips.py, the same byte for byte with the versions below",
        "versions": versions(),
        "how": how,
        "split_by": split_by,
        "labels": labels,
        "clips": clips,
    }


def make(data):
    for name, maker in {"digits": make_digits, "piano": make_piano}.items():
        folder = data / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        content = maker(folder)
        (folder / "manifest.json").write_text(json.dumps(content, indent=1) + "\n")
        seconds = sum(clip["samples"] for clip in content["clips"]) / RATE
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{name}: {len(content['clips'])} files, {seconds:.0f} s, {size / 1e6:.2f} MB")


def check():
    """Exit status 0 only if every file made again is the committed one."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        names = {
            path.relative_to(root) for root in (DATA, Path(folder)) for path in root.glob("*/*")
        }

        def same(name):
            return (
                all((root / name).exists() for root in (DATA, Path(folder)))
                and (DATA / name).read_bytes() == (Path(folder) / name).read_bytes()
            )

        different = sorted(str(name) for name in names if not same(name))
    for name in different[:20]:
        print("differs:", name)
    recorded = json.loads((DATA / "digits" / "manifest.json").read_text())["versions"]
    for package, version in versions().items():
        if recorded.get(package) != version:
            print(f"made with {package} {recorded.get(package)}, here {version}")
    print(f"{len(names) - len(different)} of {len(names)} files are the same byte for byte")
    return 1 if different else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="compare with the committed files; write nothing there"
    )
    options = parser.parse_args()
    versions()
    sys.exit(check() if options.check else make(DATA))
