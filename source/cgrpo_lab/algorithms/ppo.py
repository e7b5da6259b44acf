# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's PPO with what :class:`CGRPORunner` asks of an algorithm beside rsl_rl's own runner."""

import math
from typing import Any

import rsl_rl.algorithms
import torch
from rsl_rl.env import VecEnv
from rsl_rl.modules import MLP, EmpiricalNormalization
from tensordict import TensorDict


class PPO(rsl_rl.algorithms.PPO):
    """The critic baseline: rsl_rl's PPO, with three habits of MuJoCo benchmarks that it lacks.

    All are off unless asked for. ``reward_normalization`` divides rewards by the running standard deviation of the
    discounted return, as Gymnasium's ``NormalizeReward``: a critic that starts at zero needs long to reach returns in
    the hundreds. ``schedule="linear"`` lets the learning rate fall to zero at ``max_iterations``. ``orthogonal_init``
    starts the networks as :class:`~cgrpo_lab.policies.GroupPolicy` does: orthogonal layers, a small last one.
    """

    metrics: dict[str, torch.Tensor] = {}
    """PPO has no group diagnostics."""

    def __init__(
        self, *args: Any, reward_normalization: bool = False, orthogonal_init: bool = False, **kwargs: Any
    ) -> None:
        """Take rsl_rl's arguments, ``reward_normalization`` and ``orthogonal_init``."""
        super().__init__(*args, **kwargs)
        if orthogonal_init:
            _init_orthogonal(self.actor.mlp, last_gain=0.01)
            _init_orthogonal(self.critic.mlp, last_gain=1.0)
        self.initial_learning_rate = self.learning_rate
        self.max_iterations = 0
        self.iteration = 0
        self.return_scale = EmpiricalNormalization(()).to(self.device) if reward_normalization else None
        self._discounted_return = torch.zeros(self.storage.num_envs, device=self.device)

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict[str, Any], device: str) -> "PPO":
        """Build the algorithm from the runner's config."""
        algorithm = rsl_rl.algorithms.PPO.construct_algorithm(obs, env, cfg, device)
        algorithm.max_iterations = cfg["max_iterations"]
        return algorithm

    def start_episodes(self, ages: torch.Tensor) -> None:
        """PPO does not look at the age of episodes."""

    def env_memory(self) -> dict[str, torch.Tensor]:
        """What is remembered about each environment, which the checkpoint keeps for every process."""
        return {"discounted_return": self._discounted_return.clone()}

    def load_env_memory(self, memory: dict[str, torch.Tensor]) -> None:
        """Restore what :meth:`env_memory` returned for the same environments."""
        self._discounted_return.copy_(memory["discounted_return"])

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, torch.Tensor]
    ) -> None:
        """Record the answer of the environments; ``rewards`` and ``dones`` have shape [E]."""
        if self.return_scale is not None:
            self._discounted_return.mul_(self.gamma).add_(rewards)
            self.return_scale.update(self._discounted_return)
            self._discounted_return.mul_(~dones.bool())
            rewards = rewards / (self.return_scale._std + self.return_scale.eps)
        super().process_env_step(obs, rewards, dones, extras)

    def update(self) -> dict[str, float]:
        """Learn from the rollout, at the scheduled learning rate."""
        if self.schedule == "linear":
            remaining = 1.0 - self.iteration / max(self.max_iterations, 1)
            self._use_learning_rate(self.initial_learning_rate * max(remaining, 0.0))
        self.iteration += 1
        return super().update()

    def _use_learning_rate(self, value: float) -> None:
        """Set the learning rate here and in the optimiser."""
        self.learning_rate = value
        for group in self.optimizer.param_groups:
            group["lr"] = value

    def save(self) -> dict[str, Any]:
        """Everything PPO needs to go on; the optimiser's state has the present learning rate."""
        state = {
            **super().save(),
            "algorithm": "ppo",
            "configured_learning_rate": self.initial_learning_rate,
            "algorithm_iteration": self.iteration,
        }
        if self.return_scale is not None:
            state["return_scale_state_dict"] = self.return_scale.state_dict()
        return state

    def load(self, loaded_dict: dict[str, Any], load_cfg: dict[str, bool] | None = None, strict: bool = True) -> bool:
        """Restore a checkpoint of this class or of rsl_rl's own runner.

        Raises:
            ValueError: If the checkpoint was not written by PPO.
        """
        if "actor_state_dict" not in loaded_dict or "critic_state_dict" not in loaded_dict:
            raise ValueError("checkpoint: was not written by PPO; choose the agent it was trained with (--agent).")
        restored = super().load(loaded_dict, load_cfg, strict)
        if self.return_scale is not None and "return_scale_state_dict" in loaded_dict:
            self.return_scale.load_state_dict(loaded_dict["return_scale_state_dict"])
        if restored:
            # rsl_rl's own files do not hold it.
            self.iteration = loaded_dict.get("algorithm_iteration", loaded_dict.get("iter", 0))
        configured = loaded_dict.get("configured_learning_rate", self.initial_learning_rate)
        if not restored or configured != self.initial_learning_rate:
            # The optimiser's state brings a rate with it, but a new setting wins.
            self._use_learning_rate(self.initial_learning_rate)
        return restored


def _init_orthogonal(mlp: MLP, last_gain: float) -> None:
    """Draw orthogonal weights of gain sqrt(2), in the last layer of ``last_gain``, and set all biases to zero."""
    layers = [i for i, module in enumerate(mlp) if isinstance(module, torch.nn.Linear)]
    mlp.init_weights([last_gain if i == layers[-1] else math.sqrt(2.0) for i in range(len(mlp))])
