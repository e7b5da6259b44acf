# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Two floating Shadow Hands side by side and what they throw, as Isaac Lab's configurations.

Places and orientations are those of Bi-DexHands (PKU-MARL/DexterousHands, ``tasks/shadow_hand_catch_abreast.py``).
Importing this module builds nothing.
"""

from __future__ import annotations

import torch

from isaaclab.assets import ArticulationCfg, RigidObjectCfg
from isaaclab.utils import replace
from isaaclab.utils.math import quat_from_euler_xyz, quat_mul
from isaaclab_newton.sim.schemas import MujocoRigidBodyCfg

from cgrpo_tasks.physics import MjcfValuesCfg

from .mjspec_file import MjSpecFileCfg
from .shadow_hand import SHADOW_HAND_CFG
from .shadow_hand_catch_mjcf import BASE_JOINTS, EGG_SEMI_AXES
from .shadow_hand_mjcf import HAND_VALUES

_MODELS = "cgrpo_tasks.assets.shadow_hand_catch_mjcf"

OBJECTS = {"egg": "egg_spec", "block": "catch_block_spec", "pen": "pen_spec"}
"""What can be thrown, with the function that describes it."""

BASE_JOINT_NAMES = tuple(f"base_rx:{i}" for i in range(len(BASE_JOINTS)))
"""Isaac Lab's names of the base's joints, of which Newton makes one joint, in the order of the model's."""

MOUNT_IN_BASE = (0.0, 0.5**0.5, -(0.5**0.5), 0.0)
"""Rotation (x, y, z, w) of the mount in Bi-DexHands' frame of the hand, from which its fingers point along -y."""

SIDES = ("right", "left")
"""Both hands in the order of observations and actions."""

_PLACES = {"right": ((0.0, -0.55, 0.5), 0.3925), "left": ((0.0, -1.15, 0.5), -0.3925)}
"""Positions [m] and rolls [rad] by which the palms lean towards each other."""

_YAW = -1.57
"""Rotation [rad] about the vertical, by which the fingers point along -x."""

_FORCE_LIMITS = {
    "wrist": {"WRJ1": 4.785, "WRJ0": 2.175},
    "fingers": {
        "(FF|MF|RF)J[23]|LFJ[234]": 0.9,
        "(FF|MF|RF|LF)J1": 0.7245,
        "THJ4": 2.3722,
        "THJ3": 1.45,
        "THJ[12]": 0.99,
        "THJ0": 0.81,
    },
}
"""Limits of the actuators [N m], said again: of several hands, Newton 1.6 reads them from the first one's file only."""

CATCH_VALUES = {
    "RightHand": HAND_VALUES,
    "LeftHand": HAND_VALUES,
    "Object": MjcfValuesCfg(contact_masks={".*": (1, 1)}),
}
"""What the assets lose on their way through USD, for ``solver_cfg.mjcf_values``."""

EGG_VALUES = CATCH_VALUES | {"Object": MjcfValuesCfg(contact_masks={".*": (1, 1)}, ellipsoids={"egg": EGG_SEMI_AXES})}
"""The same with the egg."""


def hand_cfg(side: str) -> ArticulationCfg:
    """Return one of the two hands, ``right`` or ``left``; both have the shape of a right one."""
    position, roll = _PLACES[side]
    base = quat_from_euler_xyz(*(torch.tensor(angle, dtype=torch.float64) for angle in (0.0, roll, _YAW)))
    rotation = quat_mul(base, torch.tensor(MOUNT_IN_BASE, dtype=torch.float64))
    return replace(
        SHADOW_HAND_CFG,
        prim_path=f"{{ENV_REGEX_NS}}/{side.capitalize()}Hand",
        spawn=replace(
            SHADOW_HAND_CFG.spawn,
            spec=f"{_MODELS}:floating_hand_spec",
            rigid_props=[MujocoRigidBodyCfg(gravcomp=1.0)],
        ),
        init_state=ArticulationCfg.InitialStateCfg(pos=position, rot=tuple(rotation.tolist()), joint_pos={".*": 0.0}),
        actuators={
            name: replace(actuator, joint_effort_limit=_FORCE_LIMITS[name])
            for name, actuator in SHADOW_HAND_CFG.actuators.items()
        },
    )


def object_cfg(name: str, position: tuple[float, float, float]) -> RigidObjectCfg:
    """Return what is thrown.

    Args:
        name: One of :data:`OBJECTS`.
        position: Where it starts [m].
    """
    return RigidObjectCfg(
        prim_path="{ENV_REGEX_NS}/Object",
        spawn=MjSpecFileCfg(spec=f"{_MODELS}:{OBJECTS[name]}"),
        init_state=RigidObjectCfg.InitialStateCfg(pos=position),
    )
