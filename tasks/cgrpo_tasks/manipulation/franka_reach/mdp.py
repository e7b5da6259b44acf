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
from isaaclab.utils.math import compute_pose_error, quat_from_euler_xyz, subtract_frame_transforms

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv
    from isaaclab.managers import SceneEntityCfg


class HandPoseCommand(UniformPoseCommand):
    """Pose command in the robot's root frame that also judges how episodes end.

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
        self.outcome = {
            name: torch.zeros(self.num_envs, dtype=torch.bool, device=self.device) for name in cfg.success_thresholds
        }
        self.outcome_value = {
            name: torch.zeros(self.num_envs, device=self.device) for name in ("position_error", "orientation_error")
        }
        self.metrics = {
            name: torch.zeros(self.num_envs, device=self.device) for name in (*self.outcome, *self.outcome_value)
        }

    def success(self, name: str) -> torch.Tensor:
        """Tell which envs are at their goal now.

        Args:
            name: Key of the configuration's ``success_thresholds``.

        Returns:
            Whether both errors are below their thresholds, shape ``[E]``.
        """
        return self._within(name, *self._compute_error())

    def record_outcome(self, finished: torch.Tensor) -> None:
        """Judge the current poses as the ends of episodes. Call before the robot is moved and a new goal is drawn.

        Args:
            finished: Envs whose episode ends, bool ``[E]``.
        """
        position_error, orientation_error = self._compute_error()
        self._record(self.outcome_value, "position_error", position_error, finished)
        self._record(self.outcome_value, "orientation_error", orientation_error, finished)
        for name in self.outcome:
            self._record(self.outcome, name, self._within(name, position_error, orientation_error), finished)

    def _record(self, buffers: dict[str, torch.Tensor], name: str, value: torch.Tensor, finished: torch.Tensor) -> None:
        """Write one quantity of the finished episodes to what is published and to what is logged."""
        torch.where(finished, value, buffers[name], out=buffers[name])
        torch.where(finished, value.float(), self.metrics[name], out=self.metrics[name])

    def _within(self, name: str, position_error: torch.Tensor, orientation_error: torch.Tensor) -> torch.Tensor:
        position_threshold, orientation_threshold = self.cfg.success_thresholds[name]
        return (position_error < position_threshold) & (orientation_error < orientation_threshold)

    def _resample_command(self, env_ids: torch.Tensor | slice) -> None:
        """Draw new poses and write each rotation with the quaternion sign that keeps the command continuous.

        q and -q are one rotation, so some heading must be the cut where the sign jumps. It is put opposite to the
        heading at which joint 7 is centred: there that joint has to turn round as well, and everywhere else nearby
        commands have nearby solutions.
        """
        super()._resample_command(env_ids)
        command = self.pose_command_b[env_ids]
        zeros = torch.zeros_like(command[:, 0])
        centre = quat_from_euler_xyz(
            zeros, zeros + math.pi, torch.atan2(command[:, 1], command[:, 0]) + self.cfg.centre_heading
        )
        opposite = (command[:, 3:] * centre).sum(dim=-1, keepdim=True) < 0.0
        self.pose_command_b[env_ids, 3:] = torch.where(opposite, -command[:, 3:], command[:, 3:])

    def _update_metrics(self) -> None:
        """Leave the metrics alone: they are written when an episode ends."""


@configclass
class HandPoseCommandCfg(UniformPoseCommandCfg):
    """Configuration of :class:`HandPoseCommand`."""

    class_type: type = HandPoseCommand

    success_thresholds: dict[str, tuple[float, float]] = {"success": (0.05, 0.2), "success_strict": (0.02, 0.1)}
    """Named criteria: position error [m] and orientation error [rad] an episode must end below."""

    centre_heading: float = -0.75 * math.pi
    """Heading [rad] of the downward hand at joint 7's centre, relative to the direction from the base to the goal."""


def pose_error(env: ManagerBasedRLEnv, command_name: str) -> torch.Tensor:
    """Return the commanded minus the current pose of the commanded body, in the robot's root frame.

    The observation that Isaac Lab's Franka reach adds in its ``hold`` preset.

    Args:
        env: Environment.
        command_name: Name of a :class:`HandPoseCommand`.

    Returns:
        Position error [m] and axis-angle rotation error [rad], shape ``[E, 6]``.
    """
    command: HandPoseCommand = env.command_manager.get_term(command_name)
    data = command.robot.data
    position, orientation = subtract_frame_transforms(
        data.root_pos_w.torch,
        data.root_quat_w.torch,
        data.body_pos_w.torch[:, command.body_idx],
        data.body_quat_w.torch[:, command.body_idx],
    )
    errors = compute_pose_error(
        position, orientation, command.command[:, :3], command.command[:, 3:], rot_error_type="axis_angle"
    )
    return torch.cat(errors, dim=-1)


def at_goal(env: ManagerBasedRLEnv, command_name: str, criterion: str) -> torch.Tensor:
    """Reward being at the goal.

    Args:
        env: Environment.
        command_name: Name of a :class:`HandPoseCommand`.
        criterion: Key of its ``success_thresholds``.

    Returns:
        1 at the goal, 0 elsewhere, shape ``[E]``.
    """
    command: HandPoseCommand = env.command_manager.get_term(command_name)
    return command.success(criterion).float()


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
