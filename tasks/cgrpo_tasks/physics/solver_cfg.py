# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Solver configurations of the two managers of this package."""

from __future__ import annotations

from isaaclab.utils import configclass
from isaaclab_newton.physics import MJWarpSolverCfg


@configclass
class GraphReplaySolverCfg(MJWarpSolverCfg):
    """MuJoCo Warp, with its substeps replayed as a recorded graph on the CPU too."""

    class_type: type | str = "{DIR}.graph_replay:NewtonGraphReplayManager"

    hold_controls: bool = False
    """Whether one call steps the physics over the whole decimation of an environment step.

    Action terms then set their targets once per environment step. That is exact for targets which do not depend on
    the state inside the step (joint positions, velocities, efforts) and changes terms which recompute them at every
    physics step (relative joint positions, inverse kinematics). Explicit actuators need
    ``sim.use_newton_actuators=True``, Isaac Lab's default.
    """

    mjdata_fields: tuple[str, ...] = ()
    """Fields of MuJoCo's ``MjData`` to keep for tasks; see :class:`~.mjdata_fields.MjDataFieldsMixin`."""


@configclass
class NativeMujocoSolverCfg(MJWarpSolverCfg):
    """MuJoCo C in float64, stepped by ``mujoco.rollout``. CPU only.

    ``njmax`` and ``nconmax`` have no effect: MuJoCo C sizes its buffers itself.
    """

    class_type: type | str = "{DIR}.mujoco_native:NewtonMujocoManager"

    hold_controls: bool = False
    """See :attr:`GraphReplaySolverCfg.hold_controls`."""

    mjdata_fields: tuple[str, ...] = ()
    """See :attr:`GraphReplaySolverCfg.mjdata_fields`. The last substep then costs some Python per environment."""

    num_threads: int | None = None
    """Threads that step the environments; None takes every core this process may use."""
