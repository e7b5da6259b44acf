# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""A task without a simulator: points in the plane that should go to the origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict


class DummyEnv(VecEnv):
    """Points that move by 0.3 times the action; the reward is what they come closer than 1 to the origin.

    A point that leaves the circle of radius 1.6 terminates, any other times out after ``max_episode_length`` steps.
    Start positions come from torch's global generator, as in Isaac Lab.
    """

    def __init__(
        self,
        num_envs: int = 16,
        *,
        max_episode_length: int = 16,
        groups: tuple[str, ...] = ("policy",),
        outcomes: bool = True,
        device: str = "cpu",
    ):
        self.num_envs, self.num_actions, self.device = num_envs, 2, device
        self.max_episode_length = max_episode_length
        self.groups, self.outcomes = groups, outcomes
        self.cfg: dict[str, Any] = {}
        self.steps = 0
        self.fault: Callable[[int, TensorDict, torch.Tensor], None] | None = None
        """Called with the number of the step, the observations and the rewards before they are handed out."""
        self.episode_length_buf = torch.zeros(num_envs, dtype=torch.long, device=device)
        self.extras: dict[str, Any] = {}
        self.reset()

    @property
    def unwrapped(self) -> DummyEnv:
        return self

    def reset(self) -> tuple[TensorDict, dict[str, Any]]:
        self.position = self._start_positions()
        self.episode_length_buf = torch.zeros_like(self.episode_length_buf)
        return self.get_observations(), self.extras

    def get_observations(self) -> TensorDict:
        age = self.episode_length_buf.float().unsqueeze(1) / self.max_episode_length
        distance = self.position.norm(dim=1, keepdim=True)
        values = {"policy": torch.cat((self.position, age), dim=1), "privileged": torch.cat((distance, age), dim=1)}
        return TensorDict({name: values[name] for name in self.groups}, batch_size=[self.num_envs], device=self.device)

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        self.position = self.position + 0.3 * actions.clamp(-1.0, 1.0)
        self.episode_length_buf = self.episode_length_buf + 1
        distance = self.position.norm(dim=1)
        rewards = 1.0 - distance
        terminated = distance > 1.6
        time_outs = (self.episode_length_buf >= self.max_episode_length) & ~terminated
        dones = terminated | time_outs
        self.extras["time_outs"] = time_outs
        if self.outcomes:
            old = self.extras.get("outcome", {}).get("success", torch.zeros_like(dones))
            self.extras["outcome"] = {"success": torch.where(dones, distance < 0.3, old)}
            old = self.extras.get("outcome_value", {}).get("distance", torch.zeros_like(distance))
            self.extras["outcome_value"] = {"distance": torch.where(dones, distance, old)}
        self.position = torch.where(dones.unsqueeze(1), self._start_positions(), self.position)
        self.episode_length_buf = torch.where(dones, 0, self.episode_length_buf)
        obs = self.get_observations()
        if self.fault is not None:
            self.fault(self.steps, obs, rewards)
        self.steps += 1
        return obs, rewards, dones.long(), self.extras

    def _start_positions(self) -> torch.Tensor:
        return 2.0 * torch.rand(self.num_envs, 2, device=self.device) - 1.0


class GroupedEnv(DummyEnv):
    """Start groups of 8 that begin every ``max_episode_length`` steps, together and at one place.

    Who ends early goes on until then.
    """

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        if self.steps % self.max_episode_length == self.max_episode_length - 1:
            self.episode_length_buf.fill_(self.max_episode_length - 1)
        return super().step(actions)

    def _start_positions(self) -> torch.Tensor:
        return (2.0 * torch.rand(self.num_envs // 8, 2, device=self.device) - 1.0).repeat_interleave(8, dim=0)


class DummyEnvState:
    """Saves and restores a :class:`DummyEnv`."""

    def __init__(self, env: DummyEnv):
        self.env = env

    def state_dict(self) -> dict[str, Any]:
        env = self.env
        return {"position": env.position.clone(), "age": env.episode_length_buf.clone(), "steps": env.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.env.position, self.env.episode_length_buf = state["position"].clone(), state["age"].clone()
        self.env.steps = state["steps"]


def runner_cfg(
    *,
    num_steps: int = 16,
    max_iterations: int = 20,
    seed: int = 3,
    policy: dict[str, Any] | None = None,
    **algorithm: Any,
) -> dict[str, Any]:
    """Config of a runner that trains CGRPO with small, quick settings; keywords change the algorithm's."""
    small = {"num_learning_epochs": 2, "num_mini_batches": 4, "estimator_options": {"num_cosines": 16}}
    if algorithm.get("estimator") == "state_cluster":
        small["estimator_options"] = {}
    return {
        "algorithm": {"class_name": "cgrpo_lab.algorithms.cgrpo:CGRPO", **small, **algorithm},
        "group_policy": {"hidden_dims": [16], **(policy or {})},
        "obs_groups": {"actor": ["policy"]},
        "num_steps_per_env": num_steps,
        "max_iterations": max_iterations,
        "save_interval": 1000,
        "seed": seed,
    }


def ppo_cfg(algorithm: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Config of a runner that trains rsl_rl's PPO with the squashed Gaussian; ``algorithm`` changes its settings."""
    distribution = {
        "class_name": "cgrpo_lab.policies.squashed_gaussian:SquashedGaussianDistribution",
        "init_std": 0.6,
        "std_type": "log",
    }
    model = {"class_name": "MLPModel", "hidden_dims": [16], "activation": "elu", "obs_normalization": True}
    return {
        "algorithm": {
            "class_name": "cgrpo_lab.algorithms.ppo:PPO",
            "num_learning_epochs": 2,
            "num_mini_batches": 4,
            "entropy_coef": 0.0,
            **(algorithm or {}),
        },
        "actor": {**model, "distribution_cfg": distribution},
        "critic": dict(model),
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "num_steps_per_env": 16,
        "max_iterations": 20,
        "save_interval": 1000,
        "seed": 3,
        **changes,
    }
