# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Contacts that do not fit into MuJoCo Warp's buffers are an error.

MuJoCo Warp drops them, prints a line, and leaves a flag for the world, which stays until that is reset.
"""

from __future__ import annotations

import functools
import operator
from typing import ClassVar

import torch
import warp as wp
from mujoco_warp import Data
from mujoco_warp._src.types import OverflowType
from newton import Model

from isaaclab_newton.physics import MJWarpSolverCfg, NewtonMJWarpManager

from .errors import PhysicsError

LIMITS = {
    OverflowType.NEFC: ("njmax", "constraints of a world"),
    OverflowType.NJMAX_NNZ: ("njmax", "entries of a world's constraint Jacobian"),
    OverflowType.BROADPHASE: ("nconmax", "pairs of geoms that may touch, per world on average"),
    OverflowType.NARROWPHASE: ("nconmax", "contacts, per world on average"),
    OverflowType.CCD: ("nconmax", "pairs of convex geoms that may touch, per world on average"),
}
"""Fields of the solver's configuration by the flag that tells they are too small, and what they limit."""


_RELEVANT = int(functools.reduce(operator.or_, LIMITS))


class OverflowMixin(NewtonMJWarpManager):
    """Raises where a buffer overflows: at once on the CPU, some steps later on CUDA, where reading would wait."""

    _sticky: ClassVar[torch.Tensor | None] = None
    _seen: ClassVar[torch.Tensor | None] = None
    _arrived: ClassVar[torch.cuda.Event | None] = None

    @classmethod
    def _build_solver(cls, model: Model, solver_cfg: MJWarpSolverCfg) -> None:
        OverflowMixin._sticky = OverflowMixin._seen = OverflowMixin._arrived = None
        super()._build_solver(model, solver_cfg)

    @classmethod
    def _check_solver_status(cls) -> None:
        """Look at the flags.

        Raises:
            PhysicsError: If a buffer was too small in some world; it names the setting to raise.
        """
        super()._check_solver_status()
        flags = wp.to_torch(cls._solver.mjw_data.overflow, requires_grad=False) & _RELEVANT
        if flags.is_cuda:
            flags = cls._flags_so_far(flags)
        if flags.any():
            _raise(flags, cls._solver.mjw_data)

    @classmethod
    def _flags_so_far(cls, flags: torch.Tensor) -> torch.Tensor:
        """Collect the flags of all steps on the device, and return what has arrived of them on the host."""
        if cls._sticky is None:
            OverflowMixin._sticky = torch.zeros_like(flags)
            OverflowMixin._seen = torch.zeros(flags.shape, dtype=flags.dtype, pin_memory=True)
            OverflowMixin._arrived = torch.cuda.Event()
        cls._sticky |= flags
        if not cls._arrived.query():
            return torch.zeros(1, dtype=flags.dtype)
        arrived = cls._seen.clone()
        cls._seen.copy_(cls._sticky, non_blocking=True)
        cls._arrived.record()
        return arrived


def _raise(flags: torch.Tensor, data: Data) -> None:
    """Name the limit of the first of the flags ``[E]``."""
    for kind, (name, meaning) in LIMITS.items():
        worlds = (flags & int(kind)).nonzero().flatten()
        if len(worlds):
            value = data.njmax if name == "njmax" else data.naconmax // data.nworld
            raise PhysicsError(
                f"solver_cfg.{name}={value} is too small: more {meaning}, in env {int(worlds[0])} and {len(worlds) - 1}"
                f" others. Set env.sim.physics.solver_cfg.{name} to twice as much; it only costs memory."
            )
