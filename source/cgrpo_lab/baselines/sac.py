# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Soft Actor-Critic: skrl's."""

from typing import Any

import torch
from skrl.agents.torch.sac import SAC as Agent
from skrl.agents.torch.sac import SAC_CFG

from cgrpo_lab.baselines.config import SACCfg
from cgrpo_lab.baselines.models import SquashedGaussianActor
from cgrpo_lab.baselines.off_policy import OffPolicyAlgorithm


class SAC(OffPolicyAlgorithm):
    """SAC with learned entropy coefficient and the target entropy -A."""

    name = "sac"
    cfg_class = SACCfg

    def _make_agent(self) -> Agent:
        models = {"policy": SquashedGaussianActor(*self._network_sizes(), self.device), **self._critics()}
        settings = SAC_CFG(**self._off_policy_settings(), initial_entropy_value=self.cfg.init_entropy_coef)
        agent = Agent(models=models, cfg=settings, **self._agent_options())
        # skrl begins with a Python number and goes on with this tensor; a resumed run has only the tensor.
        agent._entropy_coefficient = agent.log_entropy_coefficient.detach().exp()
        return agent

    @property
    def output_std(self) -> torch.Tensor:
        """Mean standard deviation over the latest batch before squashing, shape [A]."""
        return self.policy.std

    def _progress(self) -> dict[str, Any]:
        """The entropy coefficient, too: skrl keeps its optimiser but not its value."""
        return {**super()._progress(), "log_entropy_coefficient": self.agent.log_entropy_coefficient.detach().clone()}

    def load(self, loaded_dict: dict[str, Any], load_cfg: dict[str, bool] | None = None, strict: bool = True) -> bool:
        """Restore the entropy coefficient, too: it is learned, as the networks are."""
        goes_on = super().load(loaded_dict, load_cfg, strict)
        self.agent.log_entropy_coefficient.data.copy_(loaded_dict["log_entropy_coefficient"])
        self.agent._entropy_coefficient = self.agent.log_entropy_coefficient.detach().exp()
        return goes_on
