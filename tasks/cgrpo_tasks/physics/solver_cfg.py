# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Solver configurations of the two managers of this package."""

from __future__ import annotations

from isaaclab.utils import configclass
from isaaclab_newton.physics import MJWarpSolverCfg


@configclass
class MjcfValuesCfg:
    """Values of one asset, which its MJCF holds and its USD does not."""

    contact_masks: dict[str, tuple[int, int]] = {}
    """``contype`` and ``conaffinity`` of geoms by regular expressions of their names.

    They replace Isaac Lab's self-collision filter. Where one asset has masks, every geom that collides needs them.
    """

    contact_pairs: tuple[tuple[str, str], ...] = ()
    """Names of geoms that touch whatever their masks are."""

    contact_pair_condim: int = 3
    """Dimension of the contacts of these pairs; 1 is without friction."""

    free_joint_damping: float = 0.0
    """Damping of free joints [N s/m, N m s/rad]."""

    ellipsoids: dict[str, tuple[float, float, float]] = {}
    """Semi-axes [m] of geoms which are spheres in the USD, as that knows no ellipsoids, by their names."""


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

    mjcf_values: dict[str, MjcfValuesCfg] = {}
    """What the MJCF of an asset says and its USD does not, by the name of the asset's prim in an environment."""

    primitive_boxes: bool = False
    """Whether boxes meet by MuJoCo's own algorithm, which knows margins, or by MuJoCo Warp's for all convex shapes."""


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

    mjcf_values: dict[str, MjcfValuesCfg] = {}
    """See :attr:`GraphReplaySolverCfg.mjcf_values`."""

    primitive_boxes: bool = True
    """MuJoCo C has no other algorithm."""

    num_threads: int | None = None
    """Threads that step the environments; None takes every core this process may use."""
