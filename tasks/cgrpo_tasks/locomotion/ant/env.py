# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Environment of Ant."""

from __future__ import annotations

import torch

from isaaclab.utils.math import quat_apply, quat_apply_inverse

from cgrpo_tasks.locomotion.env import LocomotionEnv, ObservationTerm

from .env_cfg import AntV4EnvCfg

BODIES = [
    "torso_link",
    *("front_left_leg_link", "aux_1_link", "ankle_1_link"),
    *("front_right_leg_link", "aux_2_link", "ankle_2_link"),
    *("back_leg_link", "aux_3_link", "ankle_3_link"),
    *("right_back_leg_link", "aux_4_link", "ankle_4_link"),
]
"""Bodies in the order of the official model, as the asset names them."""


class AntEnv(LocomotionEnv):
    """Gymnasium's ``Ant-v4`` and ``-v5``; an episode ends when the torso is too low or too high."""

    cfg: AntV4EnvCfg

    ACTUATORS = dict.fromkeys(("hip_4", "ankle_4", "hip_1", "ankle_1", "hip_2", "ankle_2", "hip_3", "ankle_3"), 150.0)
    JOINTS = ("hip_1", "ankle_1", "hip_2", "ankle_2", "hip_3", "ankle_3", "hip_4", "ankle_4")
    START = (0.0, 0.0, 0.75, 1.0, 0.0, 0.0, 0.0)
    """Position [m] and quaternion (w, x, y, z) of the torso before noise."""

    def __init__(self, cfg: AntV4EnvCfg, render_mode: str | None = None, **kwargs) -> None:
        """See :class:`LocomotionEnv`."""
        super().__init__(cfg, render_mode, **kwargs)
        bodies = self.sim.physics_manager.mujoco_body_ids(BODIES)
        self._torso, self._bodies = bodies[0], torch.tensor(bodies, device=self.device)
        self._start = torch.tensor(self.START, device=self.device)
        self._torso_x = self.qpos[:, 0].clone()
        self._wrenches = torch.zeros(self.num_envs, len(BODIES), 6, device=self.device)

    @classmethod
    def observation_terms(cls, cfg: AntV4EnvCfg) -> list[ObservationTerm]:
        """All positions but x and y, all velocities, and in v5 the external wrenches."""
        terms = [
            ObservationTerm("root_height", 1, "m"),
            ObservationTerm("root_quat", 4, "unit quaternion w x y z"),
            ObservationTerm("joint_pos", 8, "rad"),
            ObservationTerm("root_lin_vel", 3, "m/s, world frame"),
            ObservationTerm("root_ang_vel", 3, "rad/s, torso frame"),
            ObservationTerm("joint_vel", 8, "rad/s"),
        ]
        if cfg.contact_forces:
            unit = "N m (3), N (3) per body, about the robot's centre of mass"
            terms.append(ObservationTerm("contact_forces", 6 * len(BODIES), unit, cfg.contact_force_range))
        return terms

    def _read_state(self) -> tuple[torch.Tensor, torch.Tensor]:
        data = self.robot.data
        quaternion = data.root_link_quat_w.torch
        # Isaac Lab orders quaternions x y z w and turns angular velocities into the world frame.
        joint_pos = data.joint_pos.torch.index_select(1, self._joints)
        qpos = (data.root_link_pos_w.torch, quaternion.roll(1, dims=-1), joint_pos)
        turning = quat_apply_inverse(quaternion, data.root_link_ang_vel_w.torch)
        qvel = (data.root_link_lin_vel_w.torch, turning, data.joint_vel.torch.index_select(1, self._joints))
        return torch.cat(qpos, dim=-1), torch.cat(qvel, dim=-1)

    def _write_state(self, env_ids: torch.Tensor, qpos: torch.Tensor, qvel: torch.Tensor) -> None:
        quaternion = torch.nn.functional.normalize(qpos[:, 3:7], dim=-1).roll(-1, dims=-1)
        pose = torch.cat((qpos[:, :3], quaternion), dim=-1)
        velocity = torch.cat((qvel[:, :3], quat_apply(quaternion, qvel[:, 3:6])), dim=-1)
        # The last write has everything derived from the state computed anew; once is enough.
        self.robot.write_root_link_pose_to_sim_index(root_pose=pose, env_ids=env_ids, skip_forward=True)
        self.robot.write_root_link_velocity_to_sim_index(root_velocity=velocity, env_ids=env_ids, skip_forward=True)
        self.robot.write_joint_state_to_sim_index(
            position=qpos[:, 7:].contiguous(),
            velocity=qvel[:, 6:].contiguous(),
            joint_ids=self._joints,
            env_ids=env_ids,
        )
        self._torso_x[env_ids] = qpos[:, 0]
        self._wrenches[env_ids] = 0.0

    def _draw_start(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        qpos = self._uniform(count, len(self.START) + len(self.JOINTS))
        qpos[:, : len(self.START)] += self._start
        return qpos, self.cfg.reset_noise_scale * torch.randn(count, 6 + len(self.JOINTS), device=self.device)

    def _forward_progress(self, qpos_before: torch.Tensor) -> torch.Tensor:
        # Gymnasium reads the torso's position in space, which the RK4 integrator leaves at its last stage.
        before = self._torso_x.clone()
        self._torso_x.copy_(self.sim.physics_manager.mjdata_field("xpos")[:, self._torso, 0])
        if self.cfg.contact_forces:
            wrenches = self.sim.physics_manager.mjdata_field("cfrc_ext")[:, self._bodies]
            self._wrenches.copy_(wrenches.clamp(*self.cfg.contact_force_range))
        return self._torso_x - before

    def _is_healthy(self) -> torch.Tensor:
        low, high = self.cfg.healthy_z_range
        # Whatever is not finite makes the sum so.
        finite = torch.isfinite(self.qpos.sum(dim=-1) + self.qvel.sum(dim=-1))
        return finite & (low <= self.qpos[:, 2]) & (self.qpos[:, 2] <= high)

    def _reward_names(self) -> tuple[str, ...]:
        names = ("reward_forward", "reward_ctrl", "reward_survive")
        return (*names, "reward_contact") if self.cfg.contact_forces else names

    def _reward_terms(self) -> dict[str, torch.Tensor]:
        terms = {
            "reward_forward": self.cfg.forward_reward_weight * self._forward_velocity,
            "reward_ctrl": self._control_reward(),
            "reward_survive": self._survival(),
        }
        if self.cfg.contact_forces:
            terms["reward_contact"] = -self.cfg.contact_cost_weight * self._wrenches.square().sum(dim=(1, 2))
        return terms

    def _observe(self) -> torch.Tensor:
        parts = [self.qpos[:, 2:], self.qvel]
        if self.cfg.contact_forces:
            parts.append(self._wrenches.flatten(start_dim=1))
        return torch.cat(parts, dim=-1)
