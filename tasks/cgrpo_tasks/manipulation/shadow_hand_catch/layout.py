# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the 422 observations and the 52 actions are, in their order (Bi-DexHands, ``compute_full_state``)."""

from __future__ import annotations

from typing import Any

from cgrpo_tasks.assets.shadow_hand_catch import SIDES
from cgrpo_tasks.assets.shadow_hand_mjcf import ACTUATED_JOINTS, FINGERTIPS, JOINTS

from .env_cfg import CatchEggEnvCfg

FORCE, TORQUE, TARGETS = slice(0, 3), slice(3, 6), slice(6, 26)
"""Parts of the 26 actions of a hand."""


def describe_observations(cfg: CatchEggEnvCfg) -> list[dict[str, Any]]:
    """Describe the terms of the observation: name, size, scale, clip, unit and note of each.

    Args:
        cfg: Rules of the task.
    """
    velocity, force = cfg.joint_velocity_scale, cfg.force_scale
    tips = len(FINGERTIPS)
    terms = []
    for side in SIDES:
        terms += [
            (f"{side}_joint_pos", len(JOINTS), 1.0, "1", "lower limit -1, upper limit 1"),
            (f"{side}_joint_vel", len(JOINTS), velocity, "rad/s", ""),
            (f"{side}_joint_torque", len(JOINTS), force, "N m", "of the actuators; coupled joints have none"),
            (
                f"{side}_fingertip_state",
                13 * tips,
                1.0,
                "m (3), unit quaternion x y z w (4), m/s (3), rad/s (3) per fingertip",
                "world frame",
            ),
            (
                f"{side}_fingertip_wrench",
                6 * tips,
                force,
                "N (3), N m (3) per fingertip",
                "of contacts, about the fingertip's origin, in its frame",
            ),
            (f"{side}_base_position", 3, 1.0, "m", "world frame"),
            (f"{side}_base_rotation", 3, 1.0, "rad", "roll, pitch, yaw in (-pi, pi]"),
            (f"{side}_actions", 26, 1.0, "1", "the policy's previous output"),
        ]
    terms += [
        ("object_pose", 7, 1.0, "m (3), unit quaternion x y z w (4)", "world frame"),
        ("object_lin_vel", 3, 1.0, "m/s", "world frame"),
        ("object_ang_vel", 3, velocity, "rad/s", "world frame"),
        ("goal_pose", 7, 1.0, "m (3), unit quaternion x y z w (4)", "world frame"),
        ("goal_rotation_error", 4, 1.0, "unit quaternion x y z w", "object's rotation times the goal's inverse"),
    ]
    clip = [-cfg.observation_clip, cfg.observation_clip]
    keys = ("name", "size", "scale", "unit", "note")
    return [{**dict(zip(keys, term, strict=True)), "group": "policy", "clip": clip} for term in terms]


def describe_actions(cfg: CatchEggEnvCfg, target_limits: list[list[float]]) -> list[dict[str, Any]]:
    """Describe the parts of the actions: for each hand a force and a torque on its forearm and 20 joint positions.

    Args:
        cfg: Rules of the task.
        target_limits: Lower and upper limits [rad] of the 20 joints.
    """
    lower, upper = target_limits
    scale = [(high - low) / 2 for low, high in zip(lower, upper, strict=True)]
    offset = [(high + low) / 2 for low, high in zip(lower, upper, strict=True)]
    wrench = (("force", "BodyForceAction", cfg.base_force), ("torque", "BodyTorqueAction", cfg.base_torque))
    parts = []
    for side in SIDES:
        parts += [
            {
                "name": f"{side}_base_{name}",
                "kind": kind,
                "size": 3,
                "body_name": f"{side}/forearm",
                "scale": [unit] * 3,
                "offset": [0.0] * 3,
                "clip": [[-unit, unit]] * 3,
            }
            for name, kind, unit in wrench
        ]
        parts.append(
            {
                "name": f"{side}_joint_pos",
                "kind": "JointPositionAction",
                "size": len(ACTUATED_JOINTS),
                "joint_names": [f"{side}/{name}" for name in ACTUATED_JOINTS],
                "scale": scale,
                "offset": offset,
                "clip": [list(limits) for limits in zip(lower, upper, strict=True)],
            }
        )
    return parts
