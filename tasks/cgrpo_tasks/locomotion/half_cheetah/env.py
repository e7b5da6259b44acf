# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Environment of HalfCheetah."""

import torch

from cgrpo_tasks.locomotion.planar_env import ROOT_JOINTS, PlanarEnv

from .env_cfg import HalfCheetahV4EnvCfg


class HalfCheetahEnv(PlanarEnv):
    """Gymnasium's ``HalfCheetah-v4`` and ``-v5``, whose rules are the same; it never terminates."""

    cfg: HalfCheetahV4EnvCfg

    ACTUATORS = {"bthigh": 120.0, "bshin": 90.0, "bfoot": 60.0, "fthigh": 120.0, "fshin": 60.0, "ffoot": 30.0}
    JOINTS = (*ROOT_JOINTS, *ACTUATORS)
    ROOT_HEIGHT = 0.0

    def __init__(self, cfg: HalfCheetahV4EnvCfg, render_mode: str | None = None, **kwargs) -> None:
        """See :class:`~cgrpo_tasks.locomotion.env.LocomotionEnv`."""
        super().__init__(cfg, render_mode, **kwargs)
        self._all_healthy = torch.ones(self.num_envs, dtype=torch.bool, device=self.device)

    def _draw_start(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        qvel = self.cfg.reset_noise_scale * torch.randn(count, len(self.JOINTS), device=self.device)
        return self._start_position(count), qvel

    def _is_healthy(self) -> torch.Tensor:
        return self._all_healthy

    def _reward_names(self) -> tuple[str, ...]:
        return ("reward_forward", "reward_ctrl")

    def _reward_terms(self) -> dict[str, torch.Tensor]:
        return {
            "reward_forward": self.cfg.forward_reward_weight * self._forward_velocity,
            "reward_ctrl": self._control_reward(),
        }
