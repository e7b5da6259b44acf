# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""One MuJoCo C model per world, kept equal to the batched parameters of MuJoCo Warp.

Newton writes parameter changes into the arrays ``[E, ...]`` of its ``mujoco_warp`` model, whichever Newton property
they come from. Worlds with equal parameters share one ``MjModel``; a world gets a copy once it differs.
"""

from __future__ import annotations

import copy
import logging

import mujoco
import numpy as np

from .errors import PhysicsError

logger = logging.getLogger(__name__)

_INERTIAL = ("body_mass", "body_ipos", "body_inertia", "body_iquat")
_JOINT = (
    "qpos0",
    "qpos_spring",
    "jnt_pos",
    "jnt_axis",
    "jnt_stiffness",
    "jnt_range",
    "jnt_actfrcrange",
    "jnt_margin",
    "jnt_solimp",
    "dof_armature",
    "dof_damping",
    "dof_frictionloss",
    "dof_solimp",
    "dof_solref",
)
_TENDON = (
    "tendon_solref_lim",
    "tendon_solimp_lim",
    "tendon_solref_fri",
    "tendon_solimp_fri",
    "tendon_range",
    "tendon_actfrcrange",
    "tendon_margin",
    "tendon_stiffness",
    "tendon_damping",
    "tendon_armature",
    "tendon_frictionloss",
    "tendon_lengthspring",
)
_ACTUATOR = (
    "actuator_gainprm",
    "actuator_biasprm",
    "actuator_dynprm",
    "actuator_ctrlrange",
    "actuator_forcerange",
    "actuator_actrange",
    "actuator_gear",
    "actuator_cranklength",
)
# Parameters from which mj_setConst derives others (inverse weights, subtree masses, lengths at qpos0).
_DERIVED_FROM = frozenset(_INERTIAL + _JOINT + _TENDON + _ACTUATOR + ("body_pos", "body_quat"))
_DIRECT = (
    "body_pos",
    "body_quat",
    "body_gravcomp",
    "jnt_solref",
    "geom_solmix",
    "geom_solref",
    "geom_solimp",
    "geom_size",
    "geom_rbound",
    "geom_pos",
    "geom_quat",
    "geom_friction",
    "geom_margin",
    "geom_gap",
    "site_pos",
    "site_quat",
    "eq_solref",
    "eq_solimp",
    "eq_data",
    "pair_solref",
    "pair_solreffriction",
    "pair_solimp",
    "pair_margin",
    "pair_gap",
    "pair_friction",
)
_FIELDS = _INERTIAL + _JOINT + _TENDON + _ACTUATOR + _DIRECT
_OPTIONS = ("gravity", "wind", "magnetic")


class WorldModels:
    """The ``MjModel`` of every world.

    Attributes:
        models: One entry per world; worlds with equal parameters refer to the same object.
    """

    def __init__(self, template: mujoco.MjModel, warp_model, num_worlds: int) -> None:
        """Build the models from a compiled one and the parameters Newton wrote since.

        Args:
            template: Model compiled for the first world. It is copied.
            warp_model: ``mujoco_warp`` model on the CPU; its arrays are viewed, not copied.
            num_worlds: Number of worlds E.
        """
        self._views = _views(warp_model, num_worlds)
        # Derived by Newton from the physical inertia only; mj_setConst would count the armature that locks
        # kinematic bodies.
        self._mean_inertia = np.broadcast_to(warp_model.stat.meaninertia.numpy(), (num_worlds,))
        self._shared = copy.copy(template)
        # A diverged world must stay diverged: MuJoCo's own reset to the default pose would hide it from the user.
        self._shared.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
        self._data = mujoco.MjData(self._shared)
        self._reference = {name: view[0].copy() for name, view in self._views.items()}
        self._rows = {name: view.copy() for name, view in self._views.items()}
        self.models = [self._shared] * num_worlds
        self._adopt_template()
        for world in np.flatnonzero(self._differs()):
            self._own(int(world), self._reference)
        if "geom_pos" in self._views and _unequal(self._views["geom_pos"], self._reference["geom_pos"]).any():
            logger.warning(
                "Fixed shapes stand at different coordinates in different environments, so each gets a model of its own"
                " and physics runs slower. Environments never meet: scene.env_spacing=0.0 avoids it."
            )

    def set_timestep(self, timestep: float) -> None:
        """Set the integration step [s] of every model."""
        for model in {id(m): m for m in (self._shared, *self.models)}.values():
            model.opt.timestep = timestep

    def sync(self) -> bool:
        """Apply the parameters that changed since the last call; True if there were any."""
        changed_worlds = np.zeros(len(self.models), dtype=bool)
        changed = False
        for name, view in self._views.items():
            difference = _unequal(view, self._rows[name])
            if difference.any():
                changed = True
                changed_worlds |= difference.reshape(len(self.models), -1).any(axis=1)
        if not changed:
            return False
        if self._differs().all():
            # Nobody uses the shared parameters any more, as after a change of gravity: move them along.
            target = {name: view[0].copy() for name, view in self._views.items()}
            self._write(self._shared, self._reference, target, world=0)
            self._reference = target
        differs = self._differs()
        for world in np.flatnonzero(changed_worlds | (differs != self._owns())):
            if not differs[world]:
                self.models[world] = self._shared
            elif self.models[world] is self._shared:
                self._own(int(world), self._reference)
            else:
                self._write(self.models[world], _row(self._rows, world), _row(self._views, world), world=int(world))
        for name, view in self._views.items():
            self._rows[name][:] = view
        return True

    def _owns(self) -> np.ndarray:
        return np.array([model is not self._shared for model in self.models])

    def _differs(self) -> np.ndarray:
        """Which worlds do not have the shared parameters, bool [E]."""
        differs = np.zeros(len(self.models), dtype=bool)
        for name, view in self._views.items():
            differs |= _unequal(view, self._reference[name]).reshape(len(self.models), -1).any(axis=1)
        return differs

    def _own(self, world: int, reference: dict[str, np.ndarray]) -> None:
        self.models[world] = copy.copy(self._shared)
        self._write(self.models[world], reference, _row(self._views, world), world=world)

    def _adopt_template(self) -> None:
        """Write what Newton changed after compiling the template, beyond the rounding to float32."""
        before = {}
        for name, reference in self._reference.items():
            compiled = _field(self._shared, name).reshape(reference.shape)
            atol = 1e-6 if name.endswith(("pos", "quat")) else 1e-9
            close = np.isclose(compiled, reference, rtol=1e-5, atol=atol)
            before[name] = np.where(close, reference, compiled)
        # The compiler took the sizes from Newton, but fills the entries that a shape does not use in its own way.
        before["geom_size"] = self._reference["geom_size"]
        compiled = _inertia_tensors(self._shared.body_inertia, self._shared.body_iquat)
        current = _inertia_tensors(self._reference["body_inertia"], self._reference["body_iquat"])
        scale = np.linalg.norm(compiled, axis=(1, 2), keepdims=True)
        same_inertia = (np.abs(compiled - current) <= 1e-5 * scale).all(axis=(1, 2))
        for name in ("body_inertia", "body_iquat"):
            # Warp's principal axes may be ordered or signed differently and mean the same tensor.
            before[name] = np.where(same_inertia[:, None], self._reference[name], np.nan)
        self._write(self._shared, before, self._reference, world=0)

    def _write(self, model: mujoco.MjModel, old: dict, new: dict, *, world: int) -> None:
        """Write the entries of ``new`` that differ from ``old`` and what follows from them."""
        written = set()
        inertia_changed = _unequal(old["body_inertia"], new["body_inertia"]).any(axis=1)
        inertia_changed |= _unequal(old["body_iquat"], new["body_iquat"]).any(axis=1)
        for name, value in new.items():
            mask = _unequal(old[name], value)
            if name in ("body_inertia", "body_iquat"):
                # The two describe one tensor together.
                mask = np.broadcast_to(inertia_changed[:, None], mask.shape)
            if mask.any():
                target = _field(model, name).reshape(value.shape)
                target[mask] = value[mask]
                written.add(name)
        self._invalidate(model, written, old, new)
        if written & _DERIVED_FROM:
            # Newton's anchors and gains are final: MuJoCo would derive them anew from the reference pose.
            eq_data, biasprm = model.eq_data.copy(), model.actuator_biasprm.copy()
            mujoco.mj_setConst(model, self._data)
            model.eq_data[:], model.actuator_biasprm[:] = eq_data, biasprm
            model.stat.meaninertia = float(self._mean_inertia[world])

    @staticmethod
    def _invalidate(model: mujoco.MjModel, written: set[str], old: dict, new: dict) -> None:
        """Clear the compiler's shortcuts which the written parameters no longer satisfy."""
        if "body_gravcomp" in written and model.ngravcomp == 0:
            raise PhysicsError(
                "gravity compensation was switched on after the model was compiled without it, which the physics"
                " preset 'mujoco' cannot do. Author it in the asset, or use physics=newton_mjwarp."
            )
        none = int(mujoco.mjtSameFrame.mjSAMEFRAME_NONE)
        bodies = _moved(written & {"body_ipos", "body_iquat", "body_inertia"}, old, new, model.nbody)
        if bodies.any():
            model.body_sameframe[bodies] = none
            model.body_simple[bodies] = 0
            model.dof_simplenum[:] = 0
        geoms = _moved(written & {"geom_pos", "geom_quat"}, old, new, model.ngeom)
        model.geom_sameframe[geoms] = none
        if geoms.any() or "geom_size" in written:
            # The bounding volumes of the midphase were built for the compiled geometry.
            model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_MIDPHASE)
        model.site_sameframe[_moved(written & {"site_pos", "site_quat"}, old, new, model.nsite)] = none


def _views(warp_model, num_worlds: int) -> dict[str, np.ndarray]:
    """Float32 views [E, ...] of the parameters, without those the model has none of."""
    views = {name: getattr(warp_model, name).numpy() for name in _FIELDS}
    views |= {name: getattr(warp_model.opt, name).numpy() for name in _OPTIONS}
    return {name: np.broadcast_to(view, (num_worlds, *view.shape[1:])) for name, view in views.items() if view.size > 0}


def _field(model: mujoco.MjModel, name: str) -> np.ndarray:
    """The array of an ``MjModel`` behind a parameter; writing into it changes the model."""
    return getattr(model.opt if name in _OPTIONS else model, name)


def _inertia_tensors(inertia: np.ndarray, iquat: np.ndarray) -> np.ndarray:
    """Inertia tensors [B, 3, 3] [kg m^2] in the body frames, of principal inertias [B, 3] and axes [B, 4] (wxyz)."""
    axes = np.empty((len(inertia), 9))
    for matrix, quat in zip(axes, iquat.astype(np.float64), strict=True):
        mujoco.mju_quat2Mat(matrix, quat)
    axes = axes.reshape(-1, 3, 3)
    return np.einsum("bij,bj,bkj->bik", axes, inertia, axes)


def _row(fields: dict[str, np.ndarray], world: int) -> dict[str, np.ndarray]:
    return {name: field[world] for name, field in fields.items()}


def _moved(names: set[str], old: dict, new: dict, count: int) -> np.ndarray:
    """Which of ``count`` elements changed in one of the vector parameters, bool [count]."""
    moved = np.zeros(count, dtype=bool)
    for name in names:
        moved |= _unequal(old[name], new[name]).any(axis=1)
    return moved


def _unequal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Elementwise inequality which takes two NaNs for equal."""
    return (a != b) & ~((a != a) & (b != b))
