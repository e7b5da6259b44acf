# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Packages that only some commands need."""

from importlib.util import find_spec

from cgrpo_app.errors import UserError


def require_extra(extra: str, *modules: str) -> None:
    """Check that an extra of ``pyproject.toml`` is installed, before hours of work that needs it at its end.

    Args:
        extra: Name of the extra.
        modules: Modules that it brings.

    Raises:
        UserError: If one is missing; the message names the command that installs it.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise UserError(f"{', '.join(missing)}: not installed; ./isaaclab.sh -i {extra} installs it.")
