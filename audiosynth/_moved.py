# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Where the modules and names of 0.1.0 are now: an import of an old one says the new one.

Nothing here is imported before an import has failed: see `audiosynth/__init__.py`."""

from importlib import import_module
from importlib.util import find_spec

import audiosynth

# module of 0.1.0: the module that most of it became
MODULES = {
    "datasets": "data.clips",
    "recordings": "data.recordings",
    "midi": "data.midi",
    "sources": "data.sources",
    "speech_mnist": "data.speech_commands",
    "maestro": "data.maestro",
    "check": "data.check",
    "prepare": "data.prepare",
    "parts": "data.cutting",
    "archives": "data.archives",
    "web": "data.http",
    "spectral": "representations.stft",
    "phase": "representations.phase_reconstruction",
    "contract": "representations.base",
    "magnitudes": "representations.magnitude",
    "with_phase": "representations.complex",
    "basis": "representations.learned_basis",
    "filters": "representations.filterbank",
    "representations": "representations.registry",
    "lanes": "representations.simd_log_magnitude",
    "scores": "robustness.quality",
    "noise": "robustness.noise",
    "curves": "robustness.plots",
    "robustness": "robustness.run",
    "gan_tts": "networks.gan_tts",
    "networks": "networks.registry",
    "convolutions": "networks.convolutions",
    "adam": "networks.adam",
    "gan": "gan.model",
    "experiments": "gan.experiments",
    "runs": "training.runs",
    "doctor": "training.doctor",
    "training": "training.train",
    "bases": "training.learn_basis",
    "scale_out": "training.distribute",
    "latents": "generation.latents",
    "conditioning": "generation.performance",
    "babble": "generation.babble",
    "metrics": "evaluation.metrics",
    "classifier": "evaluation.classifier",
    "signals": "evaluation.signal_statistics",
    "evaluation": "evaluation.evaluate",
    "agreement": "evaluation.condition_agreement",
    "listening": "evaluation.listening_test",
    "answers": "evaluation.listening_analysis",
    "atlas": "evaluation.basis_atlas",
    "study": "evaluation.study",
}

# module of 0.1.0: {new module: names that are not in the module of the table above, or that have
# a new name, as old=new}
NAMES = {
    "contract": {
        "representations.base": "LinearPicture=LinearSpectrogram Picture=Spectrogram",
    },
    "datasets": {
        "data.files": (
            "DiskFull FULL InputError cannot_write missing_parents remove_folder sha256_of"
        ),
    },
    "doctor": {
        "training.doctor": "sound_pictures=log_mel_spectrograms",
    },
    "experiments": {
        "gan.build": (
            "APART EXAMPLES HEARING=CRITIC_REPRESENTATIONS TrainingWaves build "
            "check_given=check_condition dataset examples_of=example_conditions generator_for "
            "given_shape=condition_shape given_with=conditions_of "
            "hearing_for=fit_critic_representations networks_for parts_of=batch_elements "
            "representation_for=fit_representation signature"
        ),
        "gan.trained_model": (
            "EXAMPLES_FILE MODEL TrainedModel decoded inputs load_examples load_model numbered "
            "numbers save_examples takes"
        ),
        "gan.experiments": (
            "Experiment=Row Hears=CriticSpec choose=select_row told=condition_fields"
        ),
        "data.files": "write_json",
    },
    "gan": {
        "gan.randomness": (
            "ALPHA FAKE=GENERATED LABEL PURPOSES REAL Z draws=random_key held=value_of "
            "own=replica_slice replicas=replica_count"
        ),
        "gan.augmentation": "FLOOR excerpt=random_window jitter=shift_and_scale",
        "gan.losses": (
            "GAMES=OBJECTIVES Game=Objective TINY between=interpolate gradient_penalty "
            "label_loss=classification_loss mean slopes=joint_norm softplus "
            "squared_slope=r1_penalty steepness=gradient_norm"
        ),
        "gan.model": (
            "Listener=Critic apply=apply_gradients as_taken=encode_condition "
            "half_as_long=half_length pasts_of=half_lengths"
        ),
    },
    "gan_tts": {
        "networks.registry": "NETWORKS",
    },
    "lanes": {
        "representations.simd_log_magnitude": (
            "in_lanes=simd_applies log_pictures=simd_log_magnitude"
        ),
    },
    "networks": {
        "networks.conditioning": (
            "BackToFront LATENT Modulate ROLL_CHANNELS SLOPE beside=concatenate_condition "
            "critic_outputs given_features=condition_features given_input=condition_input "
            "latent_inputs past_features roll_features"
        ),
        "networks.compact": (
            "BatchDeviation=MinibatchDeviation DOUBLINGS Fold=SpaceToDepth TAPS "
            "Unfold=DepthToSpace folded_critic=compact_critic "
            "folded_generator=compact_generator"
        ),
        "networks.wavegan": (
            "KERNEL LAYERS STRIDE WIDTH channels_of start_of wave_critic=wavegan_critic "
            "wave_generator=wavegan_generator"
        ),
        "networks.specgan": "SIDE image_critic=specgan_critic image_generator=specgan_generator",
        "networks.registry": "fitting=default_network",
        "data.files": "nearest=look_up",
    },
    "noise": {
        "robustness.noise": "noisy_picture=noisy_spectrogram",
    },
    "phase": {
        "representations.phase_reconstruction": "phase_slopes=phase_gradients",
    },
    "representations": {
        "representations.registry": "named=find_representation",
    },
    "runs": {
        "training.runs": (
            "parts=named_variables read_about=read_metadata row_of=row_in stored=read_arrays"
        ),
    },
    "training": {
        "training.train": (
            "Keep=Checkpointer describe=run_metadata follow=resume go=fit_run "
            "watchers=callbacks_for"
        ),
    },
}


def pairs(names):
    "[(old name, new name)] of an entry of `NAMES`."
    return [(old, new or old) for old, _, new in (pair.partition("=") for pair in names.split())]


def new_place(module, name):
    "(module, name) of today for a name of a module of 0.1.0."
    for place, names in NAMES.get(module, {}).items():
        for old, new in pairs(names):
            if old == name:
                return f"audiosynth.{place}", new
    return f"audiosynth.{MODULES[module]}", name


def module_message(module):
    "What `import audiosynth.MODULE` says, where no module has the old name."
    lines = [f"audiosynth.{module} of 0.1.0 is now audiosynth.{MODULES[module]}"]
    places = NAMES.get(module, {})
    for offered, home in audiosynth._HOME.items():
        moved = offered in (new for _, new in pairs(places.get(home, "")))
        if moved or home == MODULES[module]:
            lines.append(f"  from audiosynth import {offered}")
    for place, names in places.items():
        listed = (old if old == new else f"{new} (was {old})" for old, new in pairs(names))
        lines.append(f"  in audiosynth.{place}: {', '.join(listed)}")
    return "\n".join(lines)


def missing(package, name):
    "What a part that has the name of a module of 0.1.0 raises for a name that it does not have."
    module = package.rpartition(".")[2]
    if not name.startswith("_") and find_spec(f"{package}.{name}") is None:
        place, new = new_place(module, name)
        if hasattr(import_module(place), new):
            return ImportError(f"{package}.{name} of 0.1.0: from {place} import {new}")
    return AttributeError(f"module {package!r} has no attribute {name!r}")
