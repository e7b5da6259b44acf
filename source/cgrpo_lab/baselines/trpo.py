# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Trust Region Policy Optimization: skrl's."""

import torch
from skrl.agents.torch.trpo import TRPO as Agent
from skrl.agents.torch.trpo import TRPO_CFG
from skrl.memories.torch import RandomMemory
from skrl.resources.preprocessors.torch import RunningStandardScaler

from cgrpo_lab.baselines.config import TRPOCfg
from cgrpo_lab.baselines.models import Critic, GaussianActor
from cgrpo_lab.baselines.skrl_algorithm import SkrlAlgorithm
from cgrpo_lab.validation import require_number


class TRPO(SkrlAlgorithm):
    """TRPO with generalised advantages; as in our policies the agent's action is squashed before it is executed."""

    name = "trpo"
    cfg_class = TRPOCfg

    def _make_agent(self) -> Agent:
        cfg = self.cfg
        samples = self.num_envs * self.num_steps
        require_number("agent.algorithm.num_mini_batches", cfg.num_mini_batches, at_most=samples, integer=True)
        models = {
            "policy": GaussianActor(*self._network_sizes(), self.device, init_log_std=cfg.init_log_std),
            "value": Critic(self.obs_dim, 0, cfg.hidden_dims, cfg.activation, self.device),
        }
        settings = TRPO_CFG(
            **self._common_settings(),
            rollouts=1,  # of the runner, whose iteration it is
            learning_epochs=cfg.num_learning_epochs,
            mini_batches=cfg.num_mini_batches,
            gae_lambda=cfg.lam,
            damping=cfg.damping,
            max_kl_divergence=cfg.max_kl,
            conjugate_gradient_steps=cfg.conjugate_gradient_steps,
            value_preprocessor=RunningStandardScaler,
            value_preprocessor_kwargs={"size": 1, "device": self.device},
            time_limit_bootstrap=True,
        )
        return Agent(models=models, cfg=settings, **self._agent_options())

    def _make_memory(self) -> RandomMemory:
        return RandomMemory(memory_size=self.num_steps, num_envs=self.num_envs, device=self.device)

    @property
    def output_std(self) -> torch.Tensor:
        """Standard deviation before squashing, shape [A]."""
        return self.policy.log_std.detach().exp()

    def to_action(self, samples: torch.Tensor) -> torch.Tensor:
        """Squash pre-squash actions, [E, A] -> [E, A]."""
        return torch.tanh(samples)
