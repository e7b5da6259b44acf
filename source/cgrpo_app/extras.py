# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Packages that only some commands need."""

from importlib.util import find_spec

from cgrpo_app.errors import UserError


def require_extra(user: str, package: str, extra: str) -> None:
    """Check that a package is installed, before hours of work that needs it at its end.

    Args:
        user: What needs it, as the command line has it.
        package: The package.
        extra: Extra of ``pyproject.toml`` that brings it.

    Raises:
        UserError: If it is missing; the message names the command that installs it.
    """
    if find_spec(package) is None:
        raise UserError(
            f"{user}: needs the package {package}, which is missing; './isaaclab.sh -i {extra}' installs it."
        )
