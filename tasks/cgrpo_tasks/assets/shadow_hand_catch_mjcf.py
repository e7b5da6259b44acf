# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""A Shadow Hand that floats, and the things it throws, for ``Shadow-Hand-Catch-Abreast-CGRPO``.

Sources: the hand of :mod:`.shadow_hand_mjcf`; numbers of Bi-DexHands (PKU-MARL/DexterousHands,
``tasks/shadow_hand_catch_abreast.py`` and its assets). PhysX slows every link of a floating hand down at a rate of
100 / s; taken over all links that is a damper between the hand's momentum and the world, which is what the joints of
the base have here.
"""

from __future__ import annotations

import math

import mujoco
import numpy as np

from .shadow_hand_mjcf import hand_spec

BASE_JOINTS = ("base_tx", "base_ty", "base_tz", "base_rx", "base_ry", "base_rz")
"""Slides and hinges of the base, along and about the axes of the mount."""

DAMPING_RATE = 100.0
"""Rate [1/s] at which momentum and angular momentum of a hand decay."""

EGG_SEMI_AXES = (0.03, 0.03, 0.04)
"""Semi-axes of the egg [m]."""

BLOCK_HALF_EDGE = 0.025
"""Half the edge of the block [m]."""

PEN_SIZE = (0.008, 0.1)
"""Radius and half the length without caps of the pen [m]."""

DENSITY = {"egg": 500.0, "block": 567.0, "pen": 500.0}
"""Densities [kg/m^3]; the block's is written in its URDF."""


def floating_hand_spec(visuals: bool = False) -> mujoco.MjSpec:
    """Return a hand on three slides and three hinges, its mount at the origin.

    The joints are anchored in the hand's centre of mass, where its translation and its rotation hardly affect each
    other: their dampers are the mass and the moments of inertia of the whole hand times :data:`DAMPING_RATE`.

    Args:
        visuals: Whether to keep the meshes that are only seen.
    """
    spec = hand_spec(visuals)
    spec.modelname = "floating_shadow_hand"
    mount = spec.body("hand_mount")
    mount.pos, mount.quat = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)
    # Euler angles given in the source take precedence over the quaternion until they are cleared.
    mount.alt.type = mujoco.mjtOrientation.mjORIENTATION_QUAT
    mount.alt.euler = [math.nan] * 3
    mass, centre, inertia = _mass_properties(spec)
    for i, name in enumerate(BASE_JOINTS):
        slides = i < 3
        joint = mount.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_SLIDE if slides else mujoco.mjtJoint.mjJNT_HINGE,
            axis=np.eye(3)[i % 3],
            pos=centre,
        )
        joint.damping[0] = DAMPING_RATE * (mass if slides else inertia[i % 3])
    return spec


def _mass_properties(spec: mujoco.MjSpec) -> tuple[float, np.ndarray, np.ndarray]:
    """Mass [kg], centre of mass [m] and moments of inertia about it [kg m^2] of a model in its reference pose."""
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    mass = float(model.body_mass.sum())
    centre = data.subtree_com[0].copy()
    inertia = np.zeros((3, 3))
    for i in range(1, model.nbody):
        axes, arm = data.ximat[i].reshape(3, 3), data.xipos[i] - centre
        inertia += axes @ np.diag(model.body_inertia[i]) @ axes.T
        inertia += model.body_mass[i] * (arm @ arm * np.eye(3) - np.outer(arm, arm))
    return mass, centre, np.diag(inertia).copy()


def egg_spec() -> mujoco.MjSpec:
    """Return the egg; as USD has no ellipsoids, its geom is a sphere, but mass and inertia are the ellipsoid's."""
    a, b, c = EGG_SEMI_AXES
    mass = DENSITY["egg"] * 4.0 / 3.0 * math.pi * a * b * c
    inertia = [mass / 5.0 * (b * b + c * c), mass / 5.0 * (a * a + c * c), mass / 5.0 * (a * a + b * b)]
    return _object_spec("egg", mujoco.mjtGeom.mjGEOM_SPHERE, (max(EGG_SEMI_AXES), 0.0, 0.0), mass, inertia)


def catch_block_spec() -> mujoco.MjSpec:
    """Return the block."""
    return _object_spec("block", mujoco.mjtGeom.mjGEOM_BOX, (BLOCK_HALF_EDGE,) * 3)


def pen_spec() -> mujoco.MjSpec:
    """Return the pen, a capsule."""
    return _object_spec("pen", mujoco.mjtGeom.mjGEOM_CAPSULE, (*PEN_SIZE, 0.0))


def _object_spec(
    name: str, shape: mujoco.mjtGeom, size: tuple, mass: float | None = None, inertia: list[float] | None = None
) -> mujoco.MjSpec:
    """Return a free body at the origin with one geom of its name."""
    spec = mujoco.MjSpec()
    spec.modelname = name
    body = spec.worldbody.add_body(name="object")
    body.add_freejoint()
    body.add_geom(name=name, type=shape, size=size, density=DENSITY[name], condim=4)
    if mass is not None:
        body.mass, body.inertia, body.explicitinertial = mass, inertia, True
    return spec
