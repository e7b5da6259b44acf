# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""MuJoCo Warp on the CPU without its launch overhead.

Isaac Lab (``isaaclab_newton.physics.NewtonManager``) replays the solver as a CUDA graph but issues some hundred
kernel launches from Python per substep on the CPU, which takes longer than the physics itself.
"""

from __future__ import annotations

import logging
import warnings
from typing import ClassVar

import warp as wp
from mujoco_warp._src.types import DisableBit
from newton import Model, ModelFlags

from isaaclab.physics import PhysicsManager
from isaaclab.sim import SimulationContext
from isaaclab_newton.physics import MJWarpSolverCfg

from .cpu_graph import CpuGraphCache
from .hold_controls import HoldControlsMixin
from .mjcf_values import MjcfValuesMixin
from .mjdata_fields import MjDataFieldsMixin
from .overflow import OverflowMixin
from .plane_capsule import use_frames_of_mujoco

logger = logging.getLogger(__name__)


class NewtonGraphReplayManager(HoldControlsMixin, MjcfValuesMixin, MjDataFieldsMixin, OverflowMixin):
    """MuJoCo Warp manager whose substeps are recorded once and replayed on the CPU; on CUDA Isaac Lab's own.

    Parameter changes (:meth:`SolverMuJoCo.notify_model_changed`) write into the arrays which the recording
    addresses, so they take effect in a replay.
    """

    _graphs: ClassVar[CpuGraphCache] = CpuGraphCache()
    _warned_callbacks: ClassVar[bool] = False

    @classmethod
    def initialize(cls, sim_context: SimulationContext) -> None:
        """Initialize the manager."""
        super().initialize(sim_context)
        use_frames_of_mujoco()
        if "cfrc_ext" in PhysicsManager._cfg.solver_cfg.mjdata_fields:
            # MuJoCo Warp computes wrenches only where Newton's state asks for one of them.
            cls.request_extended_state_attribute("body_parent_f")

    @classmethod
    def _build_solver(cls, model: Model, solver_cfg: MJWarpSolverCfg) -> None:
        # A recording refers to the arrays of the model it was made with.
        cls._graphs.clear()
        if not solver_cfg.primitive_boxes:
            super()._build_solver(model, solver_cfg)
            return
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*authored margin=\S+ zeroed")
            super()._build_solver(model, solver_cfg)
        # Nothing else heeds this flag once the model is built. Newton left margins out for the other algorithm's sake.
        cls._solver.mjw_model.opt.disableflags |= DisableBit.NATIVECCD
        cls._solver._zero_margins_for_native_ccd = False
        cls._solver.notify_model_changed(ModelFlags.SHAPE_PROPERTIES)

    @classmethod
    def _solver_specific_clear(cls) -> None:
        cls._graphs.clear()
        super()._solver_specific_clear()

    @classmethod
    def _run_solver_substeps(cls, contacts) -> None:
        if not wp.get_device(PhysicsManager._device).is_cpu or not cls._replays():
            super()._run_solver_substeps(contacts)
            return
        solver = cls._solver
        # The solver copies the joint state into MuJoCo at every update_data_interval-th substep, counted in Python.
        interval = solver.update_data_interval
        phase = solver._step % interval if interval > 0 else 0
        before = solver._step
        key = (cls._num_substeps, cls._solver_dt, phase)
        cls._graphs.run(key, lambda: super(NewtonGraphReplayManager, cls)._run_solver_substeps(contacts))
        solver._step = before + cls._num_substeps

    @classmethod
    def _replays(cls) -> bool:
        """Whether the substeps consist of Warp launches only."""
        if not cls._state_force_callbacks:
            return True
        if not cls._warned_callbacks:
            logger.warning("State force callbacks are registered: physics runs without graph replay on the CPU.")
            NewtonGraphReplayManager._warned_callbacks = True
        return False
