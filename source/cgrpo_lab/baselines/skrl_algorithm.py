# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""An agent of skrl behind rsl_rl's algorithm interface, so that it trains through the same runner as all others.

An iteration is ``num_steps_per_env`` calls of :meth:`SkrlAlgorithm.act` and ``process_env_step``, which the agent
records, and one ``update``, the agent's ``post_interaction``. skrl's own trainer, files and wrappers are not used.
"""

import copy
import re
from abc import ABC, abstractmethod
from statistics import fmean
from typing import Any, ClassVar

import torch
from rsl_rl.env import VecEnv
from skrl.agents.torch import Agent, ExperimentCfg
from skrl.memories.torch import RandomMemory
from tensordict import TensorDict

from cgrpo_lab.algorithms.observation_sets import resolve_obs_groups, select, width
from cgrpo_lab.baselines.config import SkrlCfg
from cgrpo_lab.baselines.deployed_policy import DeployedPolicy
from cgrpo_lab.baselines.models import Actor, ObservationNormalizer, spaces
from cgrpo_lab.validation import ConfigError

NEVER = 2**62
"""Write interval at which skrl keeps its figures for us but never comes to writing them."""


class SkrlAlgorithm(ABC):
    """What is the same for all agents; a subclass makes its agent and saves what skrl leaves out of checkpoints."""

    name: ClassVar[str]
    """The agent's name in checkpoints and messages."""

    cfg_class: ClassVar[type[SkrlCfg]]
    """Settings of the agent."""

    agent: Agent
    policy: Actor

    def __init__(self, obs: TensorDict, env: VecEnv, cfg: dict[str, Any], device: str) -> None:
        """Build networks and agent; the memory comes with the first training step.

        Args:
            obs: Observation groups of the environment, each [E, ...].
            env: The environment.
            cfg: The runner's config: ``algorithm``, ``obs_groups``, ``num_steps_per_env`` and ``max_iterations``.
            device: Device to learn on.

        Raises:
            ConfigError: If a setting cannot be used with this environment.
        """
        if cfg["multi_gpu"] is not None:
            raise ConfigError(f"distributed: {self.name} learns in one process; leave out --distributed.")
        self.cfg = self.cfg_class.from_dict(cfg["algorithm"])
        self.device, self.num_envs, self.num_steps = device, env.num_envs, cfg["num_steps_per_env"]
        self.obs_groups = resolve_obs_groups(obs, cfg["obs_groups"])["actor"]
        self.obs_dim, self.action_dim = width(obs, self.obs_groups), env.num_actions
        self.learning_rate = self.cfg.learning_rate
        self.normalizer = ObservationNormalizer(self.obs_dim).to(device)
        self.timestep = 0
        self.timesteps = cfg["max_iterations"] * self.num_steps
        self.metrics: dict[str, float] = {}
        self.agent = self._make_agent()
        self.policy = self.agent.policy
        self._seen: list[torch.Tensor] = []
        self._has_memory = False

    @classmethod
    def construct_algorithm(cls, obs: TensorDict, env: VecEnv, cfg: dict[str, Any], device: str) -> "SkrlAlgorithm":
        """Build the algorithm, as rsl_rl's runner asks; see :meth:`__init__`."""
        return cls(obs, env, cfg, device)

    # -- What a subclass defines -------------------------------------------------------------------------------------

    @abstractmethod
    def _make_agent(self) -> Agent:
        """Make the agent with its networks, without a memory."""

    @abstractmethod
    def _make_memory(self) -> RandomMemory:
        """Make the memory that training needs."""

    @property
    @abstractmethod
    def output_std(self) -> torch.Tensor:
        """Standard deviation of the actions in training, shape [A]."""

    def to_action(self, samples: torch.Tensor) -> torch.Tensor:
        """Action to execute for the agent's, [E, A] -> [E, A]."""
        return samples

    def _progress(self) -> dict[str, Any]:
        """What the agent needs to go on beside the parts that skrl names in ``checkpoint_modules``."""
        return {"timestep": self.timestep}

    def _restore_progress(self, loaded_dict: dict[str, Any]) -> None:
        """Restore what :meth:`_progress` returned, from a whole checkpoint."""
        self.timestep = loaded_dict["timestep"]

    # -- Collecting and learning -------------------------------------------------------------------------------------

    # rsl_rl calls act and process_env_step in inference mode, whose tensors could neither be trained on nor restored.

    def act(self, obs: TensorDict) -> torch.Tensor:
        """Choose an action for every environment; observation groups of shape [E, ...] -> [E, A]."""
        with torch.inference_mode(False), torch.no_grad():
            self._observations = select(obs, self.obs_groups)
            self._samples, _ = self.agent.act(
                self._observations, None, timestep=self.timestep, timesteps=self.timesteps
            )
            return self.to_action(self._samples)

    def process_env_step(
        self, obs: TensorDict, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, Any]
    ) -> None:
        """Record the answer of the environments; ``rewards`` and ``dones`` have shape [E]."""
        with torch.inference_mode(False), torch.no_grad():
            dones = dones.bool().unsqueeze(1)
            time_outs = torch.zeros_like(dones)
            if "time_outs" in extras:
                time_outs = extras["time_outs"].to(self.device).bool().unsqueeze(1) & dones
            # After a time-out the observation belongs to another episode already: rsl_rl and our estimators go on with
            # the value of the last state seen, and so do the agents here.
            following = torch.where(time_outs, self._observations, select(obs, self.obs_groups))
            self.agent.record_transition(
                observations=self._observations,
                states=None,
                actions=self._samples,
                rewards=rewards.unsqueeze(1).clone(),  # TRPO adds to them in place
                next_observations=following,
                next_states=None,
                terminated=dones & ~time_outs,
                truncated=time_outs,
                infos=extras,
                timestep=self.timestep,
                timesteps=self.timesteps,
            )
        self._seen.append(self._observations)
        self.timestep += 1

    def compute_returns(self, obs: TensorDict) -> None:  # noqa: B027
        """Nothing to do: the agent has seen the last observations with the last step."""

    def update(self) -> dict[str, float]:
        """Let the agent learn, then the normaliser.

        Returns:
            Mean losses by name.
        """
        self.agent.tracking_data.clear()
        self.agent.write_interval = NEVER
        self.agent.post_interaction(timestep=self.timestep - 1, timesteps=self.timesteps)
        self.agent.write_interval = 0
        self.normalizer.update(torch.cat(self._seen))
        self._seen.clear()
        losses = {}
        self.metrics = {}
        for tag, values in self.agent.tracking_data.items():
            group, name = tag.split(" / ")
            name = re.sub(r"[()]", "", name).lower().replace(" ", "_")
            if group == "Loss":
                losses[name.removesuffix("_loss")] = fmean(values)
            elif group != "Stats":
                self.metrics[f"{group}/{name}"] = fmean(values)
        return losses

    # -- What the runner asks for ------------------------------------------------------------------------------------

    def start_episodes(self, ages: torch.Tensor) -> None:  # noqa: B027
        """The agents do not look at the age of episodes."""

    def env_memory(self) -> dict[str, torch.Tensor]:
        """What is remembered about each environment: nothing."""
        return {}

    def load_env_memory(self, memory: dict[str, torch.Tensor]) -> None:  # noqa: B027
        """Restore what :meth:`env_memory` returned."""

    def get_policy(self) -> DeployedPolicy:
        """The deterministic policy, for play and export."""
        return DeployedPolicy(self.normalizer, self.policy.deterministic(), self.obs_groups, self.output_std)

    def train_mode(self) -> None:
        """Prepare for training."""
        self._prepare()
        self.normalizer.train()

    def eval_mode(self) -> None:
        """Freeze the normaliser."""
        self.normalizer.eval()

    def _prepare(self) -> None:
        """Give the agent its memory, once; playing needs none."""
        if not self._has_memory:
            self.agent.memory = self._make_memory()
            self.agent.init()
            self.agent.enable_training_mode(True)
            self._has_memory = True

    def save(self) -> dict[str, Any]:
        """Everything the agent needs to go on, as tensors and plain values."""
        return {
            "algorithm": self.name,
            **{f"{name}_state_dict": module.state_dict() for name, module in self.agent.checkpoint_modules.items()},
            **self._progress(),
        }

    def load(self, loaded_dict: dict[str, Any], load_cfg: dict[str, bool] | None = None, strict: bool = True) -> bool:
        """Restore what :meth:`save` returned.

        Args:
            loaded_dict: A checkpoint.
            load_cfg: rsl_rl's selection; ``optimizer: False`` keeps the fresh optimisers, ``iteration: False`` starts
                counting anew, with an empty memory. None goes on exactly.
            strict: Whether parameter names must match exactly.

        Returns:
            Whether the runner restores its iteration, too.

        Raises:
            ValueError: If the checkpoint was written by another algorithm.
        """
        if loaded_dict.get("algorithm") != self.name:
            raise ValueError(
                f"checkpoint: was not written by {self.name}; choose the agent it was trained with (--agent)."
            )
        goes_on = load_cfg is None or load_cfg.get("iteration", True)
        with_optimizer = load_cfg is None or load_cfg.get("optimizer", True)
        for name, module in self.agent.checkpoint_modules.items():
            state = loaded_dict[f"{name}_state_dict"]
            if not isinstance(module, torch.optim.Optimizer):
                module.load_state_dict(state, strict=strict)
            elif with_optimizer:
                _load_optimizer(module, state)
        if with_optimizer and goes_on:
            self._prepare()
            self._restore_progress(loaded_dict)
        return goes_on

    # -- For subclasses ----------------------------------------------------------------------------------------------

    def _network_sizes(self) -> tuple[int, int, list[int], str]:
        """Sizes of observation, action and hidden layers, and the activation."""
        return self.obs_dim, self.action_dim, self.cfg.hidden_dims, self.cfg.activation

    def _agent_options(self) -> dict[str, Any]:
        """Arguments that every agent takes beside its networks and settings."""
        return {**spaces(self.obs_dim, self.action_dim), "device": self.device}

    def _common_settings(self) -> dict[str, Any]:
        """Settings that every agent has."""
        return {
            "discount_factor": self.cfg.gamma,
            "learning_rate": self.cfg.learning_rate,
            "observation_preprocessor": lambda: self.normalizer,
            "experiment": ExperimentCfg(write_interval=0, checkpoint_interval=0),
        }


def _load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restore an optimiser's state, but for its learning rate, which is a setting."""
    rates = [group["lr"] for group in optimizer.param_groups]
    optimizer.load_state_dict(copy.deepcopy(state))
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
