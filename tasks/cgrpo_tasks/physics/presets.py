# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Physics presets that a task offers through ``physics=NAME`` (Isaac Lab's ``PresetCfg``)."""

from __future__ import annotations

from typing import Any

import torch
from isaaclab_ov.physics import OvPhysxCfg

from isaaclab.physics import PhysxAutoCfg
from isaaclab_newton.physics import NewtonCfg
from isaaclab_physx.physics import PhysxCfg

from isaaclab_tasks.utils import PresetCfg, preset

from .errors import PhysicsError
from .solver_cfg import GraphReplaySolverCfg, NativeMujocoSolverCfg


def make_physics_presets(
    *, solver: dict[str, Any], num_substeps: int, hold_controls: bool = False, physx: bool = False
) -> PresetCfg:
    """Return the physics presets of a task, to be used as ``sim.physics``.

    The names are ``newton_mjwarp`` and ``mujoco``, and with PhysX ``isaacsim_physx``, ``ovphysx`` and ``physx``, too;
    ``default`` is ``newton_mjwarp`` where a CUDA device is present and ``mujoco`` otherwise.

    Args:
        solver: Fields of :class:`isaaclab_newton.physics.MJWarpSolverCfg` for both MuJoCo presets.
        num_substeps: Solver steps per physics step.
        hold_controls: See :attr:`GraphReplaySolverCfg.hold_controls`.
        physx: Whether the task runs on PhysX, reading nothing that only MuJoCo has.

    Raises:
        PhysicsError: If ``num_substeps`` is smaller than 1.
    """
    if num_substeps < 1:
        raise PhysicsError(f"num_substeps must be at least 1, got {num_substeps}.")
    newton_mjwarp = NewtonCfg(
        solver_cfg=GraphReplaySolverCfg(hold_controls=hold_controls, **solver), num_substeps=num_substeps
    )
    mujoco = NewtonCfg(
        solver_cfg=NativeMujocoSolverCfg(hold_controls=hold_controls, **solver), num_substeps=num_substeps
    )
    presets = {
        "default": newton_mjwarp if torch.cuda.is_available() else mujoco,
        "newton_mjwarp": newton_mjwarp,
        "mujoco": mujoco,
    }
    if physx:
        engines = {"isaacsim_physx": PhysxCfg(), "ovphysx": OvPhysxCfg()}
        presets |= {**engines, "physx": PhysxAutoCfg(**engines)}
    return preset(**presets)
