# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Twin Delayed DDPG: skrl's."""

from typing import Any

import torch
from skrl.agents.torch.td3 import TD3 as Agent
from skrl.agents.torch.td3 import TD3_CFG
from skrl.resources.noises.torch import GaussianNoise

from cgrpo_lab.baselines.config import TD3Cfg
from cgrpo_lab.baselines.models import DeterministicActor
from cgrpo_lab.baselines.off_policy import OffPolicyAlgorithm


class TD3(OffPolicyAlgorithm):
    """TD3 with Gaussian exploration noise."""

    name = "td3"
    cfg_class = TD3Cfg

    def _make_agent(self) -> Agent:
        policies = {
            name: DeterministicActor(*self._network_sizes(), self.device) for name in ("policy", "target_policy")
        }
        settings = TD3_CFG(
            **self._off_policy_settings(),
            exploration_noise=GaussianNoise,
            exploration_noise_kwargs={"mean": 0.0, "std": self.cfg.exploration_std, "device": self.device},
            smooth_regularization_noise=GaussianNoise,
            smooth_regularization_noise_kwargs={"mean": 0.0, "std": self.cfg.target_std, "device": self.device},
            smooth_regularization_clip=self.cfg.target_clip,
            policy_delay=self.cfg.policy_delay,
        )
        return Agent(models={**policies, **self._critics()}, cfg=settings, **self._agent_options())

    @property
    def output_std(self) -> torch.Tensor:
        """Standard deviation of the exploration noise, shape [A]."""
        return torch.full((self.action_dim,), self.cfg.exploration_std)

    def _progress(self) -> dict[str, Any]:
        """The counter of gradient steps, too, which times those of the policy."""
        if not self._has_memory:
            return super()._progress()
        return {**super()._progress(), "update_counter": self.agent._update_counter}

    def _restore_progress(self, loaded_dict: dict[str, Any]) -> None:
        super()._restore_progress(loaded_dict)
        self.agent._update_counter = loaded_dict["update_counter"]
