"""Sphinx's configuration of skae's site: `make docs`, `make docs-check`."""

import os
import sys
import urllib.request
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # examples that train in TensorFlow
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that wait for each other spin
DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_ext")]

import skae

project = "skae"
author = "skae developers"
copyright = "skae developers, BSD-3-Clause"
version = release = skae.__version__
REPOSITORY = "https://github.com/skae-developers/skae"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "myst_parser",
    "sphinx_design",
    "sphinx_copybutton",
    "skae_site",
]
exclude_patterns = ["_build", "_templates", "_ext", "examples", "api/backreferences"]
templates_path = ["_templates"]
default_role = "literal"
nitpick_ignore_regex = [
    (r"py:.*", r"(sklearn|numpy|pandas|matplotlib|joblib|keras|tensorflow|dask)\b.*"),
]
extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}

# Pages.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

# Docstrings.
autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Looks.
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["skae.css"]
html_title = f"skae {version}"
html_show_sourcelink = False
html_theme_options = {
    "github_url": REPOSITORY,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 1,
    "footer_start": ["copyright"],
    "footer_end": [],
    "logo": {"text": "skae"},
}
html_sidebars = {"index": [], "install": [], "start": [], "changes": []}

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "subsection_order": "skae_site.example_order",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("skae",),
    "backreferences_dir": "api/backreferences",
    "reference_url": {"skae": None},
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 0,
}


def reachable(sites):
    """Return the sites whose inventories answer; none where the first does not."""
    found = {}
    for name, site in sites.items():
        try:
            urllib.request.urlopen(f"{site}objects.inv", timeout=5).close()
        except OSError:  # without a network, names of other packages are plain text
            return {}
        found[name] = (site, None)
    return found


intersphinx_mapping = reachable(
    {
        "sklearn": "https://scikit-learn.org/stable/",
        "numpy": "https://numpy.org/doc/stable/",
        "pandas": "https://pandas.pydata.org/docs/",
        "matplotlib": "https://matplotlib.org/stable/",
    }
)
