# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Body quantities of MuJoCo that tasks read, the same from both MuJoCo presets."""

from __future__ import annotations

import torch
import warp as wp

from isaaclab.physics import PhysicsManager
from isaaclab.sim import SimulationContext
from isaaclab_newton.physics import NewtonMJWarpManager

from .errors import PhysicsError

FIELDS = ("xpos", "subtree_com", "cfrc_ext")
"""Fields of MuJoCo's ``MjData`` on offer, all per body: positions [m], centres of mass of the subtree [m], and external
wrenches [N m, N] about the centre of mass of the tree that the body belongs to."""


class MjDataFieldsMixin(NewtonMJWarpManager):
    """Offers what ``MjData`` holds after a step, for the fields named by ``solver_cfg.mjdata_fields``.

    With the RK4 integrator these belong to the state at which MuJoCo evaluated its forces last, not to the new one.
    """

    @classmethod
    def initialize(cls, sim_context: SimulationContext) -> None:
        """Initialize the manager.

        Raises:
            PhysicsError: If a field is asked for that is not on offer.
        """
        super().initialize(sim_context)
        for name in PhysicsManager._cfg.solver_cfg.mjdata_fields:
            if name not in FIELDS:
                raise PhysicsError(f"solver_cfg.mjdata_fields names {name!r}; there are {', '.join(FIELDS)}.")

    @classmethod
    def mjdata_field(cls, name: str) -> torch.Tensor:
        """Return a field as a view ``[E, B, ...]`` over MuJoCo's bodies, which every step writes anew.

        Args:
            name: One of ``solver_cfg.mjdata_fields``.

        Raises:
            PhysicsError: If ``solver_cfg.mjdata_fields`` does not name the field.
        """
        if name not in PhysicsManager._cfg.solver_cfg.mjdata_fields:
            raise PhysicsError(f"{name} is not kept: add it to solver_cfg.mjdata_fields.")
        return wp.to_torch(getattr(cls._solver.mjw_data, name), requires_grad=False)

    @classmethod
    def mujoco_body_ids(cls, names: list[str], below: str | None = None) -> list[int]:
        """Return the indices of bodies in MuJoCo's order.

        Args:
            names: Last parts of the bodies' prim paths.
            below: Name of a prim that the bodies lie below, where several assets have bodies of these names.

        Raises:
            PhysicsError: If a body does not exist.
        """
        solver = cls._solver
        # Row 0 is the first environment; MuJoCo's world is no body of Newton's.
        newton_ids = solver.mjc_body_to_newton.numpy()[0]
        paths = {i: solver.model.body_label[body] for i, body in enumerate(newton_ids) if body >= 0}
        parts = {i: path.split("/") for i, path in paths.items()}
        ids = {names[-1]: i for i, names in parts.items() if below is None or below in names}
        for name in names:
            if name not in ids:
                raise PhysicsError(f"MuJoCo's model has no body {name!r}; there are {', '.join(ids)}.")
        return [ids[name] for name in names]
