"""Sphinx settings: MyST pages, Furo theme, warnings as errors (see the Makefile)."""

project = "Stratal"
author = "The Stratal engineers"
copyright = "2026, The Stratal engineers"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "explanation/_*.md"]
html_theme = "furo"
html_title = "Stratal"
html_static_path = ["_static"]
html_css_files = ["stratal.css"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
