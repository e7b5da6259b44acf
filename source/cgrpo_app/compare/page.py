# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Pages from templates, with one look for all reports."""

from pathlib import Path
from typing import Any

import jinja2

from cgrpo_app.compare import text
from cgrpo_lab.whole_file import whole_file


def render_page(template: Path, **values: Any) -> str:
    """Fill a template; HTML ones find ``style.css.j2`` of this folder and have their values escaped.

    Args:
        template: File of the template.
        **values: What it shows; a name that it uses and that is missing is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=template.name.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= text.FILTERS
    return environment.get_template(template.name).render(**values)


def write_text(path: Path, content: str) -> None:
    """Write a text file whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
