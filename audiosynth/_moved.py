# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Where the modules and names of 0.1.0 are now: an import of an old one says the new one.

Nothing here is imported before an import has failed: see `audiosynth/__init__.py`. In which module
a name is now is looked up in the sources, so that this table changes only with a new name."""

import ast
from importlib.util import find_spec
from pathlib import Path

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
    "experiments": "gan.rows",
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

# module of 0.1.0: names that the module of the table above does not have; old=new if renamed
NAMES = {
    "datasets": "DiskFull FULL InputError cannot_write missing_parents remove_folder sha256_of",
    "phase": "phase_slopes=phase_gradients",
    "contract": "LinearPicture=LinearSpectrogram Picture=Spectrogram",
    "representations": "named=find_representation",
    "lanes": "in_lanes=simd_applies log_pictures=simd_log_magnitude",
    "noise": "noisy_picture=noisy_spectrogram",
    "gan_tts": "NETWORKS",
    "networks": (
        "BackToFront=ReverseAndPad BatchDeviation=MinibatchDeviation Fold=SpaceToDepth "
        "LATENT LAYERS Modulate ROLL_CHANNELS SLOPE STRIDE Unfold=DepthToSpace "
        "WIDTH beside=concatenate_condition channels_of=layer_channels critic_outputs "
        "fitting=default_network folded_critic=compact_critic "
        "folded_generator=compact_generator given_features=condition_branch "
        "given_input=condition_branch image_critic=specgan_critic "
        "image_generator=specgan_generator latent_inputs nearest=look_up past_features "
        "roll_features start_of=start_size wave_critic=wavegan_critic "
        "wave_generator=wavegan_generator"
    ),
    "gan": (
        "ALPHA FAKE=GENERATED FLOOR GAMES=OBJECTIVES Game=Objective LABEL Listener=Critic "
        "PURPOSES REAL TINY Z apply=apply_gradients as_taken=encode_condition "
        "between=interpolate draws=random_key excerpt=random_window gradient_penalty "
        "half_as_long=half_length held=value_of jitter=shift_and_scale "
        "label_loss=classification_loss own=replica_slice pasts_of=half_lengths "
        "replicas=replica_count slopes=joint_norm squared_slope=r1_penalty "
        "steepness=gradient_norm"
    ),
    "experiments": (
        "EXAMPLES EXAMPLES_FILE Experiment=Row Hears=CriticSpec MODEL TrainedModel "
        "TrainingWaves build choose=select_row dataset decoded=decode "
        "examples_of=example_conditions given_shape=condition_shape inputs load_examples "
        "load_model numbered=label_numbers numbers=label_numbers parts_of=batch_elements "
        "representation_for=fit_representation save save_examples signature "
        "takes=conditioned_on told=condition_fields write_json"
    ),
    "runs": "parts=named_variables read_about=read_metadata row_of=row_in stored=read_arrays",
    "doctor": "sound_pictures=log_mel_spectrograms",
    "training": (
        "KEPT Keep=Checkpointer LOGGED Log MEASURED Progress follow=resume go=fit_run number "
        "on_disk shown trained watchers=callbacks_for"
    ),
}


def pairs(module):
    "[(name in 0.1.0, name of today)] of what is no longer where most of a module of 0.1.0 is."
    pairs = (pair.partition("=") for pair in NAMES.get(module, "").split())
    return [(old, new or old) for old, _, new in pairs]


def definers():
    "{name: [modules that define it]}, of the whole package."
    folder, found = Path(__file__).parent, {}
    for path in sorted(folder.rglob("[a-z]*.py")):
        module = ".".join(path.relative_to(folder).with_suffix("").parts)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names = [node.name]
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                below = (part for target in targets for part in ast.walk(target))
                names = [part.id for part in below if isinstance(part, ast.Name)]
            else:
                continue
            for name in names:
                found.setdefault(name, []).append(module)
    return found


def home(module, name, where):
    "Of the modules that define a name, the one nearest to what became of `module`; or None."
    part, found = MODULES[module].partition(".")[0], where.get(name, [])
    return min(found, key=lambda m: (m != MODULES[module], not m.startswith(part)), default=None)


def moved(module):
    "{module of today: [(name in 0.1.0, name of today)]} of what is elsewhere or has a new name."
    where, found = definers(), {}
    for old, new in pairs(module):
        if place := home(module, new, where):
            found.setdefault(place, []).append((old, new))
    return found


def module_message(module):
    "What `import audiosynth.MODULE` says, where no module has the old name."
    lines, places = (
        [f"audiosynth.{module} of 0.1.0 is now audiosynth.{MODULES[module]}"],
        moved(module),
    )
    for offered, place in audiosynth._HOME.items():
        if place == MODULES[module] or offered in (new for _, new in places.get(place, [])):
            lines.append(f"  from audiosynth import {offered}")
    for place, names in places.items():
        listed = (old if old == new else f"{new} (was {old})" for old, new in names)
        lines.append(f"  in audiosynth.{place}: {', '.join(listed)}")
    return "\n".join(lines)


def missing(package, name):
    "What a part that has the name of a module of 0.1.0 raises for a name that it does not have."
    module = package.rpartition(".")[2]
    if not name.startswith("_") and find_spec(f"{package}.{name}") is None:
        new = dict(pairs(module)).get(name, name)
        if place := home(module, new, definers()):
            return ImportError(f"{package}.{name} of 0.1.0: from audiosynth.{place} import {new}")
    return AttributeError(f"module {package!r} has no attribute {name!r}")
