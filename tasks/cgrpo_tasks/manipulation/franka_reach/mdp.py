# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Terms of the reaching task that Isaac Lab does not have."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

import isaaclab.envs.mdp as mdp
from isaaclab.envs.mdp import UniformPoseCommandCfg
from isaaclab.utils import configclass
from isaaclab.utils.math import quat_conjugate, quat_mul

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab.managers import SceneEntityCfg

    from .hand_pose_command import HandPoseCommand


@configclass
class HandPoseCommandCfg(UniformPoseCommandCfg):
    """Configuration of :class:`~.hand_pose_command.HandPoseCommand`."""

    class_type: type | str = "{DIR}.hand_pose_command:HandPoseCommand"

    success_thresholds: dict[str, tuple[float, float]] = {"success": (0.05, 0.2), "success_strict": (0.02, 0.1)}
    """Named criteria: position error [m] and orientation error [rad] an episode must end below."""

    heading_joints: tuple[str, str] = ("panda_joint1", "panda_joint7")
    """First and last joint of the arm: the heading of the downward hand follows their difference."""

    zero_heading: float = -0.75 * math.pi
    """Heading [rad] of the downward hand when both of these joints are at zero."""


def pose_error(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Return the commanded minus the current pose of the commanded body, in the robot's root frame.

    As in the ``hold`` preset of Isaac Lab's Franka reach, except that the rotation is the one joint 7 can make, up to
    a full turn, and not the shorter one, which may lead beyond its limit.

    Args:
        env: Environment.
        command_name: Name of a :class:`~.hand_pose_command.HandPoseCommand`.

    Returns:
        Position error [m] and rotation vector [rad], shape ``[E, 6]``.
    """
    command: HandPoseCommand = env.command_manager.get_term(command_name)
    position, quaternion = command.hand_pose()
    rotation = quat_mul(command.command[:, 3:], quat_conjugate(quaternion))
    sine = torch.linalg.norm(rotation[:, :3], dim=-1, keepdim=True)
    angle = 2.0 * torch.atan2(sine, rotation[:, 3:])
    # The axis is lost where the sine vanishes: at no rotation, and at a full turn, which no pair of postures needs.
    vector = rotation[:, :3] * (angle / sine.clamp(min=1.0e-6))
    return torch.cat((command.command[:, :3] - position, vector), dim=-1)


def orientation_command_error_tanh(
    env: ManagerBasedRLEnv, std: float, command_name: str, asset_cfg: SceneEntityCfg
) -> torch.Tensor:
    """Reward closeness of the orientation, the counterpart of Isaac Lab's ``position_command_error_tanh``.

    Args:
        env: Environment.
        std: Error [rad] at which the reward has fallen to 0.24.
        command_name: Name of a pose command.
        asset_cfg: Robot and body that are to follow the command.

    Returns:
        ``1 - tanh(error / std)``, shape ``[E]``.
    """
    return 1.0 - torch.tanh(mdp.orientation_command_error(env, command_name, asset_cfg) / std)
