# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The catching task as a game of two agents, one for each hand, for multi-agent learners."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import torch

from cgrpo_tasks.assets.shadow_hand_catch import SIDES

from .env import ShadowHandCatchEnv

HAND_SIZE = 199
"""Observations of one hand; those of the other one follow, then the object's and the goal's."""


class TwoAgentView:
    """Speaks the interface of :class:`isaaclab.envs.DirectMARLEnv`: a dictionary by agent for everything.

    Agents ``right`` and ``left`` observe their own hand, the object and the goal (199 + 24 of the 422 observations),
    have their own hand's 26 actions and share the reward. :meth:`state` is the whole observation, as centralised
    critics want.

    Attributes:
        possible_agents: Names of the agents.
        agents: Names of those in play, which is all of them at any time.
        observation_spaces: Observation space of each.
        action_spaces: Action space of each.
        state_space: Space of :meth:`state`.
    """

    def __init__(self, env: ShadowHandCatchEnv) -> None:
        """Look at an environment.

        Args:
            env: The environment, not wrapped.
        """
        self._env = env
        self.possible_agents, self.agents = list(SIDES), list(SIDES)
        size = env.single_observation_space["policy"].shape[0]
        actions = env.single_action_space.shape[0] // len(SIDES)
        self.observation_spaces = dict.fromkeys(SIDES, _box(size - HAND_SIZE))
        self.action_spaces = dict.fromkeys(SIDES, _box(actions))
        self.state_space = _box(size)

    @property
    def unwrapped(self) -> TwoAgentView:
        """This view."""
        return self

    @property
    def num_envs(self) -> int:
        """Number of environments E."""
        return self._env.num_envs

    @property
    def num_agents(self) -> int:
        """Number of agents in play."""
        return len(self.agents)

    @property
    def device(self) -> str:
        """Device of all tensors."""
        return self._env.device

    def observation_space(self, agent: str) -> gym.spaces.Box:
        """Return the observation space of an agent."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gym.spaces.Box:
        """Return the action space of an agent."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        """Reset all envs; returns observations ``[E, 223]`` and infos by agent. Arguments as in Gymnasium."""
        observations, info = self._env.reset(seed=seed, options=options)
        return self._split(observations), dict.fromkeys(SIDES, info)

    def step(self, actions: dict[str, torch.Tensor]) -> tuple[dict, dict, dict, dict, dict]:
        """Make a control step.

        Args:
            actions: Actions ``[E, 26]`` by agent.

        Returns:
            Observations ``[E, 223]``, rewards ``[E]``, terminations ``[E]``, truncations ``[E]`` and infos by agent.
        """
        joint = torch.cat([actions[agent] for agent in SIDES], dim=-1)
        observations, *common = self._env.step(joint)
        return (self._split(observations), *(dict.fromkeys(SIDES, value) for value in common))

    def state(self) -> torch.Tensor:
        """Return what both agents see together, ``[E, 422]``."""
        return self._env.obs_buf["policy"]

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    @staticmethod
    def _split(observations: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        right, left, common = observations["policy"].tensor_split((HAND_SIZE, 2 * HAND_SIZE), dim=-1)
        return {agent: torch.cat((own, common), dim=-1) for agent, own in zip(SIDES, (right, left), strict=True)}


def _box(size: int) -> gym.spaces.Box:
    """Unbounded space of this dimension."""
    return gym.spaces.Box(low=-float("inf"), high=float("inf"), shape=(size,))
