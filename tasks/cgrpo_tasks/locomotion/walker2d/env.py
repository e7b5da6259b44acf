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

    def __init__(self, cfg: Walker2dV4EnvCfg, render_mode: str | None = None, **kwargs) -> None:
        """See :class:`~cgrpo_tasks.locomotion.env.LocomotionEnv`."""
        super().__init__(cfg, render_mode, **kwargs)
        ranges = torch.tensor([cfg.healthy_z_range, cfg.healthy_angle_range], device=self.device)
        self._lowest, self._highest = ranges.unbind(dim=-1)

    def _draw_start(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self._start_position(count), self._uniform(count, len(self.JOINTS))

    def _is_healthy(self) -> torch.Tensor:
        height_and_pitch = self.qpos[:, 1:3]
        return ((self._lowest < height_and_pitch) & (height_and_pitch < self._highest)).all(dim=-1)

    def _reward_names(self) -> tuple[str, ...]:
        return ("reward_forward", "reward_ctrl", "reward_survive")

    def _reward_terms(self) -> dict[str, torch.Tensor]:
        return {
            "reward_forward": self.cfg.forward_reward_weight * self._forward_velocity,
            "reward_ctrl": self._control_reward(),
            "reward_survive": self._survival(),
        }
