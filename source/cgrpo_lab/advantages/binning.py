# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Binning functions f(s, t) of Group Policy Gradient: which steps of different trajectories are comparable.

A binning is called with states ``[P, S]`` and the steps ``[P]`` since their episodes began and returns keys ``[P]``
int64; equal keys mean the same bin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cgrpo_lab.validation import require_choice, require_number, require_options

Binning = Callable[[Tensor, Tensor], Tensor]

_HASH_FACTOR = 0x2545F4914F6CDD1D
"""An odd number without pattern; the hash of a cell is the polynomial of its coordinates at this number."""


class Constant:
    """One bin: what a trajectory earned as a whole is the baseline, as in GRPO's outcome supervision."""

    def __call__(self, states: Tensor, steps: Tensor) -> Tensor:
        """Keys ``[P]`` of states ``[P, S]`` at steps ``[P]``."""
        return torch.zeros_like(steps)


class TimeBins:
    """Bins by the step of the episode."""

    def __init__(self, *, steps_per_bin: int = 1):
        """Choose the width.

        Args:
            steps_per_bin: Consecutive steps that share a bin; more than 1 where few environments are ever at the same
                step.

        Raises:
            ValueError: If it is not a whole number of at least 1.
        """
        require_number("steps_per_bin", steps_per_bin, at_least=1, integer=True)
        self.steps_per_bin = steps_per_bin

    def __call__(self, states: Tensor, steps: Tensor) -> Tensor:
        """Keys ``[P]`` of states ``[P, S]`` at steps ``[P]``."""
        return steps // self.steps_per_bin


class StateGrid:
    """Bins by the cell of a grid that a state is in, and by the step of the episode where that is asked for."""

    def __init__(
        self, *, cell_size: float = 1.0, dimensions: list[int] | None = None, steps_per_bin: int | None = None
    ):
        """Choose the grid.

        Args:
            cell_size: Width of a cell, in standard deviations of a state.
            dimensions: Entries of the state that are looked at; None for all. In more than a handful of dimensions
                hardly two states share a cell.
            steps_per_bin: Steps of the episode that share a bin; None for all of them.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        require_number("cell_size", cell_size, above=0.0)
        for dimension in dimensions or []:
            require_number("dimensions", dimension, at_least=0, integer=True)
        self.cell_size = cell_size
        self.dimensions = dimensions
        self.time = None if steps_per_bin is None else TimeBins(steps_per_bin=steps_per_bin)

    def __call__(self, states: Tensor, steps: Tensor) -> Tensor:
        """Keys ``[P]`` of states ``[P, S]`` at steps ``[P]``.

        Raises:
            ValueError: If a dimension exceeds those of the states.
        """
        for dimension in self.dimensions or []:
            require_number("dimensions", dimension, below=states.shape[1], integer=True)
        looked_at = states if self.dimensions is None else states[:, self.dimensions]
        keys = torch.zeros_like(steps) if self.time is None else self.time(states, steps)
        for cell in (looked_at / self.cell_size).round().long().unbind(dim=1):
            keys = keys * _HASH_FACTOR + cell
        return keys


BINNINGS: dict[str, Callable[..., Binning]] = {"constant": Constant, "time_step": TimeBins, "state_grid": StateGrid}
"""Binning functions by the name that configurations use."""


def make_binning(name: str, options: dict[str, Any]) -> Binning:
    """Make a binning function.

    Args:
        name: A key of :data:`BINNINGS`.
        options: Keyword arguments of its constructor.

    Returns:
        The function.

    Raises:
        ValueError: If the name or an option is unknown, or an option is out of its bounds.
    """
    require_choice("binning", name, list(BINNINGS))
    require_options(f"binning {name!r}", BINNINGS[name], options)
    return BINNINGS[name](**options)
