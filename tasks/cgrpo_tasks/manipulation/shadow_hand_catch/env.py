# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Environment of the catching task: Bi-DexHands' ``ShadowHandCatchAbreast`` over MuJoCo's physics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from isaaclab.assets import RigidObject
from isaaclab.envs import DirectRLEnv
from isaaclab.utils.math import quat_conjugate, quat_from_angle_axis, quat_mul

from cgrpo_tasks.manipulation.world_frame import check_common_origin

from . import layout
from .env_cfg import CatchEggEnvCfg
from .floating_hand import FloatingHand


class ShadowHandCatchEnv(DirectRLEnv):
    """E pairs of hands, the right one with an object that belongs into the left one.

    Actions ``[E, 52]``, right hand first: force and torque on the forearm, 20 joint positions between the limits.
    The observation group ``policy`` is the source's, ``poses`` (bases, object and goal, ``[E, 36]``) what rewards and
    terminations depend on, by which advantage estimators compare states.
    ``extras["outcome"]`` maps ``success`` to whether the object came within ``success_distance`` of its goal in env e's
    most recently finished episode, bool ``[E]``, ``extras["outcome_value"]`` maps ``closest_distance`` to how close it
    came [m], float ``[E]``.

    Attributes:
        hands: Right and left hand.
        object: What is thrown.
        actions: The last actions, ``[E, 52]``.
        goal_position: Where the object belongs [m], ``[3]``.
        goal_rotation: How it should lie (x, y, z, w), ``[E, 4]``.
    """

    cfg: CatchEggEnvCfg

    def __init__(self, cfg: CatchEggEnvCfg, render_mode: str | None = None, **kwargs) -> None:
        """Create the hands.

        Args:
            cfg: Rules and physics.
            render_mode: See :class:`isaaclab.envs.DirectRLEnv`.
            **kwargs: Passed on to it.

        Raises:
            ConfigError: If environments lie apart.
        """
        check_common_origin(cfg.scene)
        super().__init__(cfg, render_mode, **kwargs)
        physics = self.sim.physics_manager
        self.hands = (
            FloatingHand(self.scene["right_hand"], physics, "RightHand"),
            FloatingHand(self.scene["left_hand"], physics, "LeftHand"),
        )
        self.object: RigidObject = self.scene["object"]
        self._start_position = torch.tensor(cfg.start_position, device=self.device)
        self.goal_position = self._start_position + torch.tensor(cfg.goal_offset, device=self.device)
        self.goal_rotation = self._identity(self.num_envs)
        self._palm_positions = torch.tensor(cfg.palm_positions, device=self.device)
        # Buffers that resets write to are made here and kept: torch refuses to write outside of its inference mode to
        # what was made inside, as rollouts are.
        self.actions = torch.zeros(self.num_envs, cfg.action_space, device=self.device)
        self._targets = torch.zeros(2, self.num_envs, 20, device=self.device)
        self._wrenches = torch.zeros(2, self.num_envs, 5, 6, device=self.device)
        self._distance = torch.zeros(self.num_envs, device=self.device)
        self._closest = torch.full((self.num_envs,), math.inf, device=self.device)
        self.extras["outcome"] = {"success": torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)}
        self.extras["outcome_value"] = {"closest_distance": torch.zeros(self.num_envs, device=self.device)}

    def set_state(
        self,
        env_ids: torch.Tensor,
        hands_qpos: torch.Tensor,
        hands_qvel: torch.Tensor,
        object_pose: torch.Tensor,
        object_velocity: torch.Tensor,
        goal_rotation: torch.Tensor,
    ) -> None:
        """Put envs into states.

        Args:
            env_ids: Envs, int ``[K]``.
            hands_qpos: See :attr:`.FloatingHand.qpos`, right and left, ``[2, K, 30]``.
            hands_qvel: See :attr:`.FloatingHand.qvel`, right and left, ``[2, K, 30]``.
            object_pose: Position [m] and quaternion (x, y, z, w), ``[K, 7]``.
            object_velocity: Velocity [m/s] and angular velocity [rad/s] in the world frame, ``[K, 6]``.
            goal_rotation: How the object should lie (x, y, z, w), ``[K, 4]``.
        """
        for hand, qpos, qvel in zip(self.hands, hands_qpos, hands_qvel, strict=True):
            hand.set_state(env_ids, qpos.contiguous(), qvel.contiguous())
        self.object.write_root_link_pose_to_sim_index(root_pose=object_pose, env_ids=env_ids)
        self.object.write_root_link_velocity_to_sim_index(root_velocity=object_velocity, env_ids=env_ids)
        self.goal_rotation[env_ids] = goal_rotation
        self._targets[:, env_ids] = 0.0
        self._wrenches[:, env_ids] = 0.0
        self.actions[env_ids] = 0.0
        self._closest[env_ids] = math.inf

    def copy_starts(self, env_ids: torch.Tensor, source_ids: torch.Tensor) -> None:
        """Put envs, int ``[K]``, into the states and under the goals of others ``[K]``; see
        :class:`cgrpo_app.group_resets.CopiesStarts`.
        """
        qpos = torch.stack([hand.qpos[source_ids] for hand in self.hands])
        qvel = torch.stack([hand.qvel[source_ids] for hand in self.hands])
        pose = self.object.data.root_link_pose_w.torch[source_ids]
        velocity = self.object.data.root_link_vel_w.torch[source_ids]
        self.set_state(env_ids, qpos, qvel, pose, velocity, self.goal_rotation[source_ids])

    def policy_description(self) -> dict[str, list[dict[str, Any]]]:
        """Describe the policy's input and output in the words of :func:`cgrpo_app.env_description.describe_env`."""
        limits = self.hands[0].target_limits.tolist()
        return {
            "observations": layout.describe_observations(self.cfg),
            "actions": layout.describe_actions(self.cfg, limits),
        }

    def _pre_physics_step(self, actions: torch.Tensor) -> None:
        self.actions.copy_(actions.clamp(-1.0, 1.0))
        for i, hand in enumerate(self.hands):
            lower, upper = hand.target_limits
            self._targets[i] = lower + 0.5 * (self._actions_of(i)[:, layout.TARGETS] + 1.0) * (upper - lower)

    def _actions_of(self, hand: int) -> torch.Tensor:
        """Actions of one hand, ``[E, 26]``."""
        return self.actions.unflatten(1, (2, -1))[:, hand]

    def _apply_action(self) -> None:
        for i, hand in enumerate(self.hands):
            actions = self._actions_of(i)
            force = self.cfg.base_force * actions[:, layout.FORCE]
            torque = self.cfg.base_torque * actions[:, layout.TORQUE]
            hand.command(self._targets[i], force, torque)

    def _get_dones(self) -> tuple[torch.Tensor, torch.Tensor]:
        for i, hand in enumerate(self.hands):
            self._wrenches[i] = hand.fingertip_wrench()
        position = self.object.data.root_link_pos_w.torch
        self._distance = (position - self.goal_position).norm(dim=-1)
        torch.minimum(self._closest, self._distance, out=self._closest)
        palms = torch.stack([hand.palm_position for hand in self.hands], dim=1)
        strayed = (palms - self._palm_positions).norm(dim=-1) >= self.cfg.palm_tolerance
        # What is not finite is neither near nor far: it ends, too.
        lost = ~(position[:, 2] > self.cfg.fall_height) | ~palms.isfinite().all(dim=(1, 2))
        return lost | strayed.any(dim=1), self.episode_length_buf >= self.max_episode_length

    def _get_rewards(self) -> torch.Tensor:
        sine = self._rotation_error()[:, :3].norm(dim=-1).clamp(max=1.0)
        error = self.cfg.distance_weight * self._distance + 2.0 * torch.asin(sine)
        return torch.exp(-self.cfg.reward_rate * error)

    def _rotation_error(self) -> torch.Tensor:
        """The object's rotation times the inverse of the goal's (x, y, z, w), ``[E, 4]``."""
        return quat_mul(self.object.data.root_link_quat_w.torch, quat_conjugate(self.goal_rotation))

    def _get_observations(self) -> dict[str, torch.Tensor]:
        cfg, data = self.cfg, self.object.data
        of_hands, bases = [], [hand.base_pose for hand in self.hands]
        for i, hand in enumerate(self.hands):
            lower, upper = hand.joint_limits
            of_hands += [
                (2.0 * hand.qpos[:, 6:] - upper - lower) / (upper - lower),
                cfg.joint_velocity_scale * hand.qvel[:, 6:],
                cfg.force_scale * hand.drive_torque(self._targets[i]),
                hand.fingertip_state.flatten(start_dim=1),
                cfg.force_scale * self._wrenches[i].flatten(start_dim=1),
                bases[i],
                self._actions_of(i),
            ]
        common = [
            data.root_link_pose_w.torch,
            data.root_link_lin_vel_w.torch,
            cfg.joint_velocity_scale * data.root_link_ang_vel_w.torch,
            self.goal_position.expand(self.num_envs, 3),
            self.goal_rotation,
            self._rotation_error(),
        ]
        observations = {
            "policy": torch.cat(of_hands + common, dim=-1),
            "poses": torch.cat(bases + common, dim=-1),
        }
        return {name: group.clamp(-cfg.observation_clip, cfg.observation_clip) for name, group in observations.items()}

    def _reset_idx(self, env_ids: Sequence[int]) -> None:
        if "outcome" in self.extras:
            self.extras["outcome"]["success"][env_ids] = self._closest[env_ids] < self.cfg.success_distance
            self.extras["outcome_value"]["closest_distance"][env_ids] = self._closest[env_ids]
        super()._reset_idx(env_ids)
        count = len(env_ids)
        at_rest = torch.zeros(2, count, 30, device=self.device)
        rotation = self._any_rotation(count) if self.cfg.start_pitch is None else self._lying_rotation(count)
        pose = torch.cat((self._start_position.expand(count, 3), rotation), dim=-1)
        velocity = torch.zeros(count, 6, device=self.device)
        self.set_state(env_ids, at_rest, at_rest, pose, velocity, self._any_rotation(count))

    def _any_rotation(self, count: int) -> torch.Tensor:
        """Draw rotations by up to half a turn about x, then y, (x, y, z, w) ``[K, 4]``."""
        angles = math.pi * (2.0 * torch.rand(2, count, device=self.device) - 1.0)
        return quat_mul(self._about(0, angles[0]), self._about(1, angles[1]))

    def _lying_rotation(self, count: int) -> torch.Tensor:
        """Draw rotations of a pen that lies flat: pitch and heading belong together, as in the source."""
        draw = 2.0 * torch.rand(count, device=self.device) - 1.0
        return quat_mul(self._about(0, 0.5 * math.pi + self.cfg.start_pitch * draw), self._about(2, math.pi * draw))

    def _about(self, axis: int, angle: torch.Tensor) -> torch.Tensor:
        """Rotations (x, y, z, w) by angles [rad] ``[K]`` about an axis of the world, ``[K, 4]``."""
        return quat_from_angle_axis(angle, torch.eye(3, device=self.device)[axis].expand(len(angle), 3))

    def _identity(self, count: int) -> torch.Tensor:
        """No rotation, (x, y, z, w) ``[K, 4]``."""
        return self._about(0, torch.zeros(count, device=self.device))
