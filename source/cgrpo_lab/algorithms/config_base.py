# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the settings of an algorithm and of its policies have in common."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Self

from cgrpo_lab.validation import ConfigError


class FromDict:
    """Construction from the plain dictionaries that runners hold."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build and validate a config.

        Raises:
            ConfigError: If a name is unknown or a value unusable.
        """
        known = {f.name for f in fields(cls)}
        for name in values:
            require(name, values[name], name in known, f"is no such setting; there are {', '.join(sorted(known))}")
        cfg = cls(**values)
        cfg.validate()
        return cfg


def is_number(value: object) -> bool:
    """Whether a value is a finite real number (a bool is not meant as one)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: object) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def require(name: str, value: object, valid: bool, remedy: str) -> None:
    """Raise a ConfigError unless ``valid``."""
    if not valid:
        raise ConfigError(f"{name}={value!r}: {remedy}.")
