# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Addresses of 0.1.0 that somebody may have kept: small pages that lead to where the text is now.

The chapters of 0.1.0 were numbered in one list; each exported the module that its name ends in."""

import json

import book
from audiosynth import _moved

PAGES = """
01_listen 02_datasets 02a_recordings 02a_web 02b_archives 02c_midi 02d_parts 02e_prepare 03_sources
03a_speech_mnist 03b_maestro 04_check 05_spectral 05a_phase 05b_contract 05b_lanes 05c_magnitudes
05d_with_phase 05e_basis 05f_filters 06_representations 06a_scores 06b_noise 06c_curves
06d_robustness 07_convolutions 07_networks 07a_gan_tts 07b_adam 08_gan 09_experiments 09a_doctor
09b_runs 09c_scale_out 10_training 10a_metrics 10b_study 10c_bases 10d_atlas 11_latents
11a_conditioning 11b_babble 12_classifier 12a_signals 12b_evaluation 12c_agreement 13_listening
13a_answers 15_cli
""".split()

PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Moved</title>
<link rel="canonical" href="{page}">
<meta name="robots" content="noindex">
<script>
  const moved = {moved};
  const anchor = decodeURIComponent(location.hash.slice(1));
  const same = anchor && "#" + anchor.replace(/^{old}/, "{new}");
  location.replace(moved[anchor] || "{page}" + same);
</script>
<noscript><meta http-equiv="refresh" content="0; url={page}"></noscript>
<p>This page is now <a href="{page}">{page}</a>.</p>
"""


def redirects(label, known):
    """{file name: content} of all of them.

    `label(module, name)` is the anchor of an entry, `known` are the anchors that there are."""
    home = {book.module_of(path): path.with_suffix(".html") for path in book.notebooks()}
    found = {}
    for page in PAGES:
        old = page.partition("_")[2]
        module, moved = _moved.MODULES.get(old, old), {}
        for place, names in _moved.moved(old).items():
            for name, new in names:
                if label(place, new) in known:
                    moved[old_label(old, name)] = f"{home[place]}#{label(place, new)}"
        found[f"{page}.html"] = PAGE.format(
            page=home[module],
            moved=json.dumps(moved, indent=1),
            old=f"api-{old}-",
            new=label(module, ""),
        )
    return found


def old_label(module, name):
    "The anchor that an entry had in 0.1.0."
    last = "-class" if name[0].isupper() else ""
    return f"api-{module}-{name.lower()}{last}".replace("_", "-")
