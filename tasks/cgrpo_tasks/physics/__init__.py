# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Physics presets that are fast on a CPU."""

from .errors import PhysicsError
from .presets import make_physics_presets
from .solver_cfg import GraphReplaySolverCfg, MjcfValuesCfg, NativeMujocoSolverCfg

__all__ = ["GraphReplaySolverCfg", "MjcfValuesCfg", "NativeMujocoSolverCfg", "PhysicsError", "make_physics_presets"]
