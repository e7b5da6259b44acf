# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Terms of the reaching task that Isaac Lab does not have."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

import isaaclab.envs.mdp as mdp
from isaaclab.envs.mdp import UniformPoseCommandCfg
from isaaclab.envs.mdp.commands.pose_command import UniformPoseCommand
from isaaclab.utils import configclass
from isaaclab.utils.math import quat_conjugate, quat_from_euler_xyz, quat_mul, subtract_frame_transforms

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab.managers import SceneEntityCfg


class HandPoseCommand(UniformPoseCommand):
    """Pose command for a hand that points down, which also judges how episodes end.

    q and -q are one rotation. Commands and hand poses carry the sign that tells how far joint 7 is or has to be turned,
    so that nearby postures have nearby descriptions and no description points beyond the joint's limit, where the
    shorter way round ends.

    Its metrics are those of the end of the finished episodes, not running values: what is logged as
    ``Metrics/<term>/success`` is the share of the episodes ended in that step that ended at their goal.
    """

    cfg: HandPoseCommandCfg

    def __init__(self, cfg: HandPoseCommandCfg, env: ManagerBasedRLEnv):
        """Create the buffers, all about "no episode finished yet": not successful, errors zero.

        Args:
            cfg: Ranges, body and success thresholds.
            env: Environment the command belongs to.
        """
        super().__init__(cfg, env)
        self._heading_joints, _ = self.robot.find_joints(cfg.heading_joints, preserve_order=True)
        self.outcome = {
            name: torch.zeros(self.num_envs, dtype=torch.bool, device=self.device) for name in cfg.success_thresholds
        }
        self.outcome_value = {
            name: torch.zeros(self.num_envs, device=self.device) for name in ("position_error", "orientation_error")
        }
        self.metrics = {
            name: torch.zeros(self.num_envs, device=self.device) for name in (*self.outcome, *self.outcome_value)
        }

    def record_outcome(self, finished: torch.Tensor) -> None:
        """Judge the current poses as the ends of episodes. Call before the robot is moved and a new goal is drawn.

        Args:
            finished: Envs whose episode ends, bool ``[E]``.
        """
        position_error, orientation_error = self._compute_error()
        self._record(self.outcome_value, "position_error", position_error, finished)
        self._record(self.outcome_value, "orientation_error", orientation_error, finished)
        for name, (position_threshold, orientation_threshold) in self.cfg.success_thresholds.items():
            success = (position_error < position_threshold) & (orientation_error < orientation_threshold)
            self._record(self.outcome, name, success, finished)

    def _record(self, buffers: dict[str, torch.Tensor], name: str, value: torch.Tensor, finished: torch.Tensor) -> None:
        """Write one quantity of the finished episodes to what is published and to what is logged."""
        torch.where(finished, value, buffers[name], out=buffers[name])
        torch.where(finished, value.float(), self.metrics[name], out=self.metrics[name])

    def hand_pose(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the commanded body's position [m] `[E, 3]` and quaternion (x, y, z, w) `[E, 4]` in the root frame."""
        data = self.robot.data
        position, quaternion = subtract_frame_transforms(
            data.root_pos_w.torch,
            data.root_quat_w.torch,
            data.body_pos_w.torch[:, self.body_idx],
            data.body_quat_w.torch[:, self.body_idx],
        )
        base, wrist = data.joint_pos.torch[:, self._heading_joints].unbind(dim=-1)
        return position, self._same_side(quaternion, base - wrist)

    def _resample_command(self, env_ids: torch.Tensor | slice) -> None:
        """Draw new poses; their quaternions change sign opposite to the heading at which joint 7 is centred."""
        super()._resample_command(env_ids)
        command = self.pose_command_b[env_ids]
        azimuth = torch.atan2(command[:, 1], command[:, 0])
        self.pose_command_b[env_ids, 3:] = self._same_side(command[:, 3:], azimuth)

    def _same_side(self, quaternion: torch.Tensor, heading: torch.Tensor) -> torch.Tensor:
        """Choose the signs with which rotations are within half a turn of a downward hand's.

        Args:
            quaternion: Rotations (x, y, z, w), shape `[E, 4]`.
            heading: Heading of the downward hand [rad] from that at joint zeros, beyond a full turn too, shape `[E]`.
        """
        down = torch.full_like(heading, math.pi)
        reference = quat_from_euler_xyz(torch.zeros_like(heading), down, heading + self.cfg.zero_heading)
        opposite = (quaternion * reference).sum(dim=-1, keepdim=True) < 0.0
        return torch.where(opposite, -quaternion, quaternion)

    def _update_metrics(self) -> None:
        """Leave the metrics alone: they are written when an episode ends."""

    def _update_command(self) -> None:
        """Keep the goal in world coordinates up to date for markers, where they are shown."""
        if self.cfg.debug_vis:
            self._compute_error()


@configclass
class HandPoseCommandCfg(UniformPoseCommandCfg):
    """Configuration of :class:`HandPoseCommand`."""

    class_type: type = HandPoseCommand

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
        command_name: Name of a :class:`HandPoseCommand`.

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
