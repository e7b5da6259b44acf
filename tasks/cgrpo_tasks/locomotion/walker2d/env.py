# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Environment of Walker2d."""

import torch

from cgrpo_tasks.locomotion.planar_env import ROOT_JOINTS, PlanarEnv

from .env_cfg import Walker2dV4EnvCfg


class Walker2dEnv(PlanarEnv):
    """Gymnasium's ``Walker2d-v4`` and ``-v5``; an episode ends when the torso is too low, too high or tilted."""

    cfg: Walker2dV4EnvCfg

    ACTUATORS = {
        "thigh_joint": 100.0,
        "leg_joint": 100.0,
        "foot_joint": 100.0,
        "thigh_left_joint": 100.0,
        "leg_left_joint": 100.0,
        "foot_left_joint": 100.0,
    }
    JOINTS = (*ROOT_JOINTS, *ACTUATORS)
    ROOT_HEIGHT = 1.25
    VELOCITY_CLIP = (-10.0, 10.0)

    def _draw_start(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self._start_position(count), self._uniform(count, len(self.JOINTS))

    def _is_healthy(self) -> torch.Tensor:
        (low, high), (backward, forward) = self.cfg.healthy_z_range, self.cfg.healthy_angle_range
        z, angle = self.qpos[:, 1], self.qpos[:, 2]
        return (low < z) & (z < high) & (backward < angle) & (angle < forward)

    def _reward_names(self) -> tuple[str, ...]:
        return ("reward_forward", "reward_ctrl", "reward_survive")

    def _reward_terms(self) -> dict[str, torch.Tensor]:
        return {
            "reward_forward": self.cfg.forward_reward_weight * self._forward_velocity,
            "reward_ctrl": -self._control_cost(),
            "reward_survive": self._survival(),
        }
