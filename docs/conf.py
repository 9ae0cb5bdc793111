# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"Sphinx settings; docs/build.py writes the pages into _book/ and then calls Sphinx."

from pathlib import Path

from nbdev.config import get_config

settings = get_config()
project, author, release = settings.title, settings.author, settings.version
project_copyright = f"{settings.copyright}; text and code under the Apache License 2.0"

extensions = ["myst_nb", "sphinx.ext.mathjax"]
nb_execution_mode = "off"  # the outputs in the notebooks are the evidence; the site only shows them
nb_merge_streams = True
nb_ipywidgets_js = {}
myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header"]
exclude_patterns = ["**.ipynb_checkpoints"]
mathjax_path = "mathjax/tex-svg-full.js"  # vendored: no page asks another host for anything
pygments_style = "friendly"

html_theme = "sphinx_book_theme"
html_title = project
html_logo = html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_show_sphinx = False
html_copy_source = False
html_use_index = False
html_search_scorer = str(Path(__file__).parent / "_static" / "scorer.js")
add_module_names = False
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": project, "alt_text": project},
    "navbar_persistent": [],
    "footer_content_items": ["copyright"],
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "toc_title": "On this page",
    "pygments_light_style": "friendly",
    "pygments_dark_style": "github-dark",
}
