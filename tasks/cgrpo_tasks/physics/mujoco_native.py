# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""MuJoCo C as a physics backend of Isaac Lab, through its Newton interfaces."""

from __future__ import annotations

from newton import Model
from newton.solvers import SolverMuJoCo

from isaaclab.sim import SimulationContext
from isaaclab_newton.physics import NewtonManager

from .errors import PhysicsError
from .hold_controls import HoldControlsMixin
from .mjcf_values import MjcfValuesMixin
from .mjdata_fields import MjDataFieldsMixin
from .native_solver import NativeMujocoSolver
from .solver_cfg import NativeMujocoSolverCfg

# MuJoCo Warp fills these after a step; mujoco.rollout returns nothing but the state.
_UNAVAILABLE = {"body_qdd": "the IMU or PVA sensor", "body_parent_f": "the joint-wrench sensor"}


class NewtonMujocoManager(HoldControlsMixin, MjcfValuesMixin, MjDataFieldsMixin):
    """Newton manager whose solver is :class:`NativeMujocoSolver`."""

    @classmethod
    def initialize(cls, sim_context: SimulationContext) -> None:
        """Initialize the manager.

        Raises:
            PhysicsError: If the simulation is to run on a CUDA device.
        """
        if sim_context.cfg.device != "cpu":
            raise PhysicsError(
                f"physics preset 'mujoco' runs on the CPU, but the device is {sim_context.cfg.device!r}."
                " Use --device cpu, or physics=newton_mjwarp for the GPU."
            )
        super().initialize(sim_context)

    @classmethod
    def _create_solver(cls, model: Model, solver_cfg: NativeMujocoSolverCfg) -> NativeMujocoSolver:
        if not solver_cfg.use_mujoco_contacts:
            raise PhysicsError(
                "physics preset 'mujoco' detects contacts itself: use_mujoco_contacts=False is not available."
                " Use physics=newton_mjwarp."
            )
        for attribute in cls._active_extended_state_attributes & _UNAVAILABLE.keys():
            raise PhysicsError(
                f"physics preset 'mujoco' does not provide {attribute}, which {_UNAVAILABLE[attribute]} reads."
                " Use physics=newton_mjwarp."
            )
        kwargs = cls._filter_solver_kwargs(SolverMuJoCo, solver_cfg)
        kwargs.pop("ls_parallel", None)
        return NativeMujocoSolver(
            model, num_threads=solver_cfg.num_threads, mjdata_fields=solver_cfg.mjdata_fields, **kwargs
        )

    @classmethod
    def add_contact_sensor(cls, *args, **kwargs):
        """Refuse contact sensors: ``mujoco.rollout`` returns no contacts.

        Raises:
            PhysicsError: Always.
        """
        raise PhysicsError("physics preset 'mujoco' has no contact sensors. Use physics=newton_mjwarp.")

    @classmethod
    def _run_solver_substeps(cls, contacts) -> None:
        if cls._state_force_callbacks:
            # Forces that depend on the state change with every substep.
            super()._run_solver_substeps(contacts)
        else:
            cls._advance(cls._num_substeps)

    @classmethod
    def _simulate_full(cls) -> None:
        if cls._adapter is not None or cls._post_actuator_callbacks or cls._state_force_callbacks:
            super()._simulate_full()
            return
        cls._stage_body_forces()
        cls._advance(cls._decimation * cls._num_substeps)
        for callback in cls._post_step_callbacks:
            callback()
        cls._update_sensors(None)

    @classmethod
    def _advance(cls, num_steps: int) -> None:
        state = NewtonManager.backend.state_0
        cls._apply_staged_body_forces(state)
        cls._solver.advance(state, NewtonManager.backend.control, cls._solver_dt, num_steps)
        state.clear_forces()

    @classmethod
    def _log_solver_debug(cls) -> None:
        """Log nothing: MuJoCo C's iteration counts stay inside ``mujoco.rollout``."""
