# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Environment of the block task: Gymnasium-Robotics' rules over Isaac Lab's physics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from isaaclab.assets import Articulation, RigidObject
from isaaclab.envs import DirectRLEnv
from isaaclab.utils.math import quat_apply, quat_apply_inverse

from cgrpo_lab.validation import ConfigError
from cgrpo_tasks.assets.shadow_hand_mjcf import ACTUATED_JOINTS, JOINTS
from cgrpo_tasks.manipulation.world_frame import check_common_origin

from . import goals, rewards
from .env_cfg import BlockEnvCfg
from .starts import settled_starts

HAND, POSE, TWIST = len(JOINTS), 7, 6
"""Joints of the hand, entries of the block's pose, entries of its velocity."""

OBSERVATION_TERMS = (
    ("policy", "joint_pos", HAND, "rad"),
    ("policy", "joint_vel", HAND, "rad/s"),
    ("policy", "block_lin_vel", 3, "m/s, world frame"),
    ("policy", "block_ang_vel", 3, "rad/s, block frame"),
    ("policy", "block_position", 3, "m, world frame"),
    ("policy", "block_quat", 4, "unit quaternion w x y z"),
    ("policy", "goal_position", 3, "m, world frame"),
    ("policy", "goal_quat", 4, "unit quaternion w x y z"),
    ("goal_error", "position_error", 3, "m, goal minus block; zero where the place is ignored"),
    ("goal_error", "rotation_error", 3, "rad, rotation vector from block to goal, world frame"),
)
"""Group, name, size and unit of the observations' parts in their order; shortest rotations are called so."""


class ShadowHandBlockEnv(DirectRLEnv):
    """E hands that are to turn a block, in MuJoCo's coordinates and order.

    The observation group ``policy`` is the official observation followed by the official goal; ``goal_error`` says what
    is between them. ``extras["outcome"]`` and ``extras["outcome_value"]`` map names to tensors ``[E]`` about each env's
    latest finished episode: ``success``, whether the goal was reached in the last step (with new goals on success:
    whether any was), ``position_error`` [m] and ``rotation_error`` [rad] in the last step, and ``goals``, the number of
    steps in which a goal was reached.

    Attributes:
        qpos: Positions of hand and block after the last step or reset, as MuJoCo lays them out, float ``[E, 31]``.
        qvel: Velocities likewise, float ``[E, 30]``.
        goal: Position [m] and quaternion (w, x, y, z) of the goals, float ``[E, 7]``.
    """

    cfg: BlockEnvCfg

    def __init__(self, cfg: BlockEnvCfg, render_mode: str | None = None, **kwargs) -> None:
        """Create the hands.

        Args:
            cfg: Rules and physics.
            render_mode: See :class:`isaaclab.envs.DirectRLEnv`.
            **kwargs: Passed on to it.

        Raises:
            ConfigError: If a rule is unknown, two do not fit, or environments lie apart.
        """
        _check(cfg)
        check_common_origin(cfg.scene)
        super().__init__(cfg, render_mode, **kwargs)
        self.robot: Articulation = self.scene["robot"]
        self.block: RigidObject = self.scene["block"]
        self._joints, self._actuated = self._joint_ids(JOINTS), self._joint_ids(ACTUATED_JOINTS)
        limits = self.robot.data.joint_pos_limits.torch[0, self._actuated]
        # The control ranges of the file are the joints' ranges.
        self._middle, self._half_range = limits.mean(dim=-1), 0.5 * (limits[:, 1] - limits[:, 0])
        starts = (torch.tensor(part, dtype=torch.float32) for part in settled_starts(cfg.target_rotation))
        self._start_qpos, self._start_qvel = (part.to(self.device) for part in starts)
        self.actions = torch.zeros(self.num_envs, len(ACTUATED_JOINTS), device=self.device)
        # Buffers that resets write to are made here and kept: torch refuses to write outside of its inference mode to
        # what was made inside, as rollouts are.
        self.qpos, self.qvel = self._read_state()
        self.goal = self.qpos[:, HAND:].clone()
        self._start_position = self.goal[:, :3].clone()
        self._reached = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        self._goals = torch.zeros(self.num_envs, device=self.device)
        self._measure()
        self._final_distance, self._final_angle = self._distance, self._angle
        self.extras["outcome"] = {"success": torch.zeros_like(self._reached)}
        names = ("position_error", "rotation_error", "goals")
        self.extras["outcome_value"] = {name: torch.zeros(self.num_envs, device=self.device) for name in names}

    def _joint_ids(self, names: Iterable[str]) -> torch.Tensor:
        """Isaac Lab's indices of joints; on the device, where indexing with them does not wait for the host."""
        ids, _ = self.robot.find_joints(list(names), preserve_order=True)
        return torch.tensor(ids, device=self.device)

    def set_state(self, env_ids: torch.Tensor, qpos: torch.Tensor, qvel: torch.Tensor) -> None:
        """Put hands and blocks into states.

        Args:
            env_ids: Envs, int ``[K]``.
            qpos: Positions in MuJoCo's layout, ``[K, 31]``.
            qvel: Velocities in MuJoCo's layout, ``[K, 30]``.
        """
        self.qpos[env_ids], self.qvel[env_ids] = qpos, qvel
        self.robot.write_joint_state_to_sim_index(
            position=qpos[:, :HAND].contiguous(),
            velocity=qvel[:, :HAND].contiguous(),
            joint_ids=self._joints,
            env_ids=env_ids,
        )
        # Isaac Lab orders quaternions x y z w and turns angular velocities into the world frame.
        quaternion = torch.nn.functional.normalize(qpos[:, HAND + 3 :], dim=-1).roll(-1, dims=-1)
        pose = torch.cat((qpos[:, HAND : HAND + 3], quaternion), dim=-1)
        linear, angular = qvel[:, HAND : HAND + 3], qvel[:, HAND + 3 :]
        velocity = torch.cat((linear, quat_apply(quaternion, angular)), dim=-1)
        self.block.write_root_link_pose_to_sim_index(root_pose=pose, env_ids=env_ids)
        self.block.write_root_link_velocity_to_sim_index(root_velocity=velocity, env_ids=env_ids)

    def copy_starts(self, env_ids: torch.Tensor, source_ids: torch.Tensor) -> None:
        """Give envs, int ``[K]``, state and goal of others ``[K]``; :mod:`cgrpo_app.group_resets` asks for it."""
        self.set_state(env_ids, self.qpos[source_ids], self.qvel[source_ids])
        self.goal[env_ids] = self.goal[source_ids]
        self._start_position[env_ids] = self._start_position[source_ids]
        self._measure()

    def policy_description(self) -> dict[str, list[dict[str, Any]]]:
        """Describe the policy's input and output in the words of :func:`cgrpo_app.env_description.describe_env`."""
        shortest = {"rotation_error": "shortest_rotation_error"} if self.cfg.shortest_rotation else {}
        observations = [
            {
                "name": shortest.get(name, name),
                "group": group,
                "size": size,
                "scale": 1.0,
                "clip": None,
                "unit": unit,
                "note": "",
            }
            for group, name, size, unit in OBSERVATION_TERMS
        ]
        action = {
            "name": "joint_position",
            "kind": "JointPositionAction",
            "size": len(ACTUATED_JOINTS),
            "joint_names": list(ACTUATED_JOINTS),
            "scale": self._half_range.tolist(),
            "offset": self._middle.tolist(),
            "clip": torch.stack((self._middle - self._half_range, self._middle + self._half_range), dim=-1).tolist(),
        }
        return {"observations": observations, "actions": [action]}

    def _read_state(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return positions ``[E, 31]`` and velocities ``[E, 30]`` in MuJoCo's layout."""
        hand, block = self.robot.data, self.block.data
        quaternion = block.root_link_quat_w.torch
        turning = quat_apply_inverse(quaternion, block.root_link_ang_vel_w.torch)
        position = (hand.joint_pos.torch[:, self._joints], block.root_link_pos_w.torch, quaternion.roll(1, dims=-1))
        velocity = (hand.joint_vel.torch[:, self._joints], block.root_link_lin_vel_w.torch, turning)
        return torch.cat(position, dim=-1), torch.cat(velocity, dim=-1)

    def _pre_physics_step(self, actions: torch.Tensor) -> None:
        self.actions.copy_(actions.clamp(-1.0, 1.0))

    def _apply_action(self) -> None:
        target = self._middle + self._half_range * self.actions
        self.robot.actuators.target_command.set_position_index(value=target, joint_ids=self._actuated)

    def _measure(self) -> None:
        """Compare the blocks with their goals."""
        block = self.qpos[:, HAND:]
        self._position_error = self.goal[:, :3] - block[:, :3]
        if self.cfg.target_position == "ignore":
            self._position_error = torch.zeros_like(self._position_error)
        self._rotation_error = goals.rotation_vector(self.goal[:, 3:], block[:, 3:], self.cfg.shortest_rotation)
        self._distance = torch.linalg.norm(self._position_error, dim=-1)
        self._angle = torch.linalg.norm(self._rotation_error, dim=-1)

    def _get_dones(self) -> tuple[torch.Tensor, torch.Tensor]:
        for buffer, value in zip((self.qpos, self.qvel), self._read_state(), strict=True):
            buffer.copy_(value)
        self._measure()
        # What a new goal or start brings is not how the step ended.
        self._final_distance, self._final_angle = self._distance, self._angle
        cfg = self.cfg
        self._reached = (self._distance < cfg.distance_threshold) & (self._angle < cfg.rotation_threshold)
        self._goals += self._reached
        dropped = torch.zeros_like(self._reached)
        if cfg.drop_height is not None:
            dropped = self.qpos[:, HAND + 2] < cfg.drop_height
        return dropped, self.episode_length_buf >= self.max_episode_length

    def _get_rewards(self) -> torch.Tensor:
        reward = rewards.reward(
            self.cfg, self._distance, self._angle, self._reached, self.reset_terminated, self.actions
        )
        if self.cfg.new_goal_on_success:
            # What is observed next is the new goal, what was rewarded the old one.
            self._renew_goals()
        return reward

    def _renew_goals(self) -> None:
        """Draw new goals where one was reached; on all envs, as choosing them would wait for the device."""
        everyone = torch.arange(self.num_envs, device=self.device)
        drawn = self._draw_goals(everyone, self._start_position)
        torch.where(self._reached[:, None], drawn, self.goal, out=self.goal)
        self._measure()

    def _draw_goals(self, env_ids: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        """Draw goals ``[K, 7]`` for envs ``[K]`` at or around positions [m] ``[K, 3]``."""
        cfg, count = self.cfg, len(env_ids)
        if cfg.target_position == "random":
            position = position + goals.draw_position_offset(count, self.device)
        if cfg.goal_rotation_range is None:
            rotation = goals.draw_rotation(cfg.target_rotation, count, self.device)
        else:
            turn = goals.draw_rotation(cfg.target_rotation, count, self.device, cfg.goal_rotation_range)
            rotation = goals.multiply(turn, self.qpos[env_ids, HAND + 3 :])
        return torch.cat((position, rotation), dim=-1)

    def _reset_idx(self, env_ids: Sequence[int]) -> None:
        if "outcome" in self.extras:
            self._publish_outcome(env_ids)
        super()._reset_idx(env_ids)
        draw = torch.randint(len(self._start_qpos), (len(env_ids),), device=self.device)
        self.set_state(env_ids, self._start_qpos[draw], self._start_qvel[draw])
        self._start_position[env_ids] = self.qpos[env_ids, HAND : HAND + 3]
        self.goal[env_ids] = self._draw_goals(env_ids, self._start_position[env_ids])
        self._goals[env_ids] = 0.0
        self._measure()

    def _publish_outcome(self, env_ids: Sequence[int]) -> None:
        """Say how the episodes of some envs ended."""
        success = self._goals > 0.0 if self.cfg.new_goal_on_success else self._reached
        self.extras["outcome"]["success"][env_ids] = success[env_ids]
        values = {"position_error": self._final_distance, "rotation_error": self._final_angle, "goals": self._goals}
        for name, value in values.items():
            self.extras["outcome_value"][name][env_ids] = value[env_ids]

    def _get_observations(self) -> dict[str, torch.Tensor]:
        hand, block = slice(0, HAND), slice(HAND, None)
        parts = (self.qpos[:, hand], self.qvel[:, hand], self.qvel[:, block], self.qpos[:, block], self.goal)
        return {
            "policy": torch.cat(parts, dim=-1),
            "goal_error": torch.cat((self._position_error, self._rotation_error), dim=-1),
        }


def _check(cfg: BlockEnvCfg) -> None:
    """Check the rules.

    Raises:
        ConfigError: Naming the field, its value and the remedy.
    """
    choices = {
        "target_position": goals.TARGET_POSITIONS,
        "target_rotation": goals.TARGET_ROTATIONS,
        "reward": rewards.REWARDS,
    }
    for name, allowed in choices.items():
        if vars(cfg)[name] not in allowed:
            raise ConfigError(f"env.{name}={vars(cfg)[name]!r}: there are {', '.join(allowed)}.")
    defaults = type(cfg)()
    for name in rewards.UNREAD[cfg.reward]:
        if vars(cfg)[name] != vars(defaults)[name]:
            raise ConfigError(f"env.{name}={vars(cfg)[name]}: env.reward={cfg.reward} does not read it; leave it out.")
    if cfg.goal_rotation_range is not None and cfg.target_rotation == "parallel":
        raise ConfigError("env.goal_rotation_range: goals with another face up are far away; use None, z or xyz.")
