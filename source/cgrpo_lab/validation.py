# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Checks of configuration values: every error names the field, the value and the remedy."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable


class ConfigError(ValueError):
    """A setting that cannot be used; the message names the field, the value and the remedy."""


def require_number(
    field: str,
    value: float,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    integer: bool = False,
) -> None:
    """Raise unless a configuration value is a finite number within its bounds.

    Args:
        field: Name of the option, as the user writes it.
        value: The value given.
        at_least: Smallest value allowed.
        above: Bound that must be exceeded.
        at_most: Largest value allowed.
        below: Bound that must not be reached.
        integer: Whether only whole numbers (of type ``int``) are allowed.

    Raises:
        ConfigError: If the value is of another type, NaN, infinite or out of bounds.
    """
    kinds = int if integer else (int, float)
    bounds = [
        (">=", at_least, lambda bound: value >= bound),
        (">", above, lambda bound: value > bound),
        ("<=", at_most, lambda bound: value <= bound),
        ("<", below, lambda bound: value < bound),
    ]
    bounds = [(sign, bound, holds) for sign, bound, holds in bounds if bound is not None]
    if isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value):
        if all(holds(bound) for _, bound, holds in bounds):
            return
    kind = "a whole number" if integer else "a finite number"
    limits = " and ".join(f"{sign} {bound}" for sign, bound, _ in bounds)
    raise ConfigError(f"{field} = {value!r} cannot be used: give {kind}{' ' + limits if limits else ''}")


def require_sizes(field: str, value: Iterable[int]) -> None:
    """Raise unless a configuration value lists the sizes of one or more layers.

    Args:
        field: Name of the option, as the user writes it.
        value: The value given.

    Raises:
        ConfigError: If it is no list, empty, or one of the sizes is no whole number of at least 1.
    """
    if not isinstance(value, list | tuple) or not value:
        raise ConfigError(f"{field} = {value!r} cannot be used: give a list of at least one size, such as [64, 64]")
    for size in value:
        require_number(field, size, at_least=1, integer=True)


def require_choice(field: str, value: str, choices: list[str]) -> None:
    """Raise unless a configuration value is one of the named choices.

    Args:
        field: Name of the option, as the user writes it.
        value: The value given.
        choices: The names allowed.

    Raises:
        ConfigError: If the value is none of them.
    """
    if value not in choices:
        raise ConfigError(f"{field} = {value!r} cannot be used: choose one of {', '.join(map(repr, choices))}")


def require_options(owner: str, constructor: Callable, options: Iterable[str], remedy: str = "") -> None:
    """Raise unless all options are keyword arguments of a constructor.

    Args:
        owner: What the options configure, for the message.
        constructor: A class or function.
        options: The names given.
        remedy: What else may help, for the message.

    Raises:
        ConfigError: If one is unknown.
    """
    known = [name for name, p in inspect.signature(constructor).parameters.items() if p.default is not p.empty]
    for option in options:
        if option not in known:
            raise ConfigError(f"{owner} has no option {option!r}: choose among {', '.join(known)}{remedy}")
