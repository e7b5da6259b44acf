# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Stepping over a whole decimation in one call of the physics manager."""

from __future__ import annotations

from isaaclab.physics import PhysicsManager
from isaaclab_newton.physics import NewtonMJWarpManager

from .errors import PhysicsError


class HoldControlsMixin(NewtonMJWarpManager):
    """Extends Isaac Lab's in-physics decimation loop to models without Newton actuators.

    Isaac Lab runs that loop inside :meth:`NewtonManager.step` when Newton-native actuators are present; with
    implicit actuators alone it goes through its whole Python layer at every physics step.
    """

    @classmethod
    def initialize_solver(cls) -> None:
        """Build the solver, refusing held controls for actuators that Isaac Lab computes itself.

        Raises:
            PhysicsError: If controls are to be held while Isaac Lab evaluates explicit actuators in Python.
        """
        if cls._holds_controls() and not PhysicsManager._sim.cfg.use_newton_actuators:
            raise PhysicsError(
                "solver_cfg.hold_controls=True needs sim.use_newton_actuators=True: explicit actuators evaluated by"
                " Isaac Lab must run at every physics step. Set one of the two accordingly."
            )
        super().initialize_solver()

    @classmethod
    def _holds_controls(cls) -> bool:
        cfg = PhysicsManager._cfg
        return cfg is not None and cfg.solver_cfg.hold_controls

    @classmethod
    def _is_all_graphable(cls) -> bool:
        return super()._is_all_graphable() or (cls._holds_controls() and cls._adapter is None)
