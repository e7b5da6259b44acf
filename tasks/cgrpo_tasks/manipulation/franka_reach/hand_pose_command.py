# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Goals of the reaching task and the judgement of how episodes end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from isaaclab.envs.mdp.commands.pose_command import UniformPoseCommand
from isaaclab.utils.math import quat_from_euler_xyz, subtract_frame_transforms

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

    from .mdp import HandPoseCommandCfg


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
        heading_joints, _ = self.robot.find_joints(cfg.heading_joints, preserve_order=True)
        # On the device, where indexing with them does not wait for the host.
        self._heading_joints = torch.tensor(heading_joints, device=self.device)
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
