# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The parts of CGRPO, made from a runner's config."""

from dataclasses import dataclass
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from cgrpo_lab.advantages import AdvantageEstimator, make_estimator
from cgrpo_lab.algorithms.config import CGRPOCfg, GroupPolicyCfg
from cgrpo_lab.algorithms.observation_sets import resolve_obs_groups, width
from cgrpo_lab.policies import GroupPolicy, HiddenLayers
from cgrpo_lab.rollouts import GroupRollout


@dataclass
class Parts:
    """What :class:`CGRPO` is assembled from."""

    policy: GroupPolicy
    """The group of policies."""
    estimator: AdvantageEstimator
    """Turns a rollout into advantages."""
    rollout: GroupRollout
    """Buffers of one iteration."""
    cfg: CGRPOCfg
    """Validated settings."""
    obs_groups: dict[str, list[str]]
    """Observation groups seen by the policies (``actor``) and by the estimator (``state``)."""
    max_iterations: int
    """Iterations of the whole run, for the linear schedule."""
    generator: torch.Generator
    """The only source of randomness, on ``device``."""
    device: torch.device | str
    """Device of everything."""


def make_parts(obs: TensorDict, env: VecEnv, cfg: dict[str, Any], device: str) -> Parts:
    """Build policies, estimator and buffers.

    Args:
        obs: Observation groups of the environment, each [E, ...].
        env: The environment.
        cfg: The runner's config: ``algorithm``, ``group_policy``, ``obs_groups``, ``num_steps_per_env``,
            ``max_iterations`` and ``seed``.
        device: Device to learn on.

    Raises:
        ConfigError: If a setting cannot be used with this environment.
    """
    algorithm = CGRPOCfg.from_dict(cfg["algorithm"])
    algorithm.check_sizes(env.num_envs, cfg["num_steps_per_env"])
    obs_groups = resolve_obs_groups(obs, cfg["obs_groups"])
    generator = torch.Generator(device).manual_seed(cfg["seed"])
    policy = GroupPolicy(
        num_policies=algorithm.num_policies,
        obs_dim=width(obs, obs_groups["actor"]),
        action_dim=env.num_actions,
        generator=torch.Generator().manual_seed(cfg["seed"]),
        **vars(GroupPolicyCfg.from_dict(cfg["group_policy"])),
    )
    rollout = GroupRollout(
        num_steps=cfg["num_steps_per_env"],
        num_policies=algorithm.num_policies,
        envs_per_policy=env.num_envs // algorithm.num_policies,
        obs_dim=policy.obs_dim,
        state_dim=width(obs, obs_groups["state"]),
        action_dim=env.num_actions,
        device=device,
    )
    estimator = make_estimator(
        algorithm.estimator,
        num_states=rollout.states.shape[-1],
        device=device,
        generator=generator,
        freeze_encoder=lambda: HiddenLayers(policy),
        gamma=algorithm.gamma,
        **algorithm.estimator_options,
    )
    return Parts(policy, estimator, rollout, algorithm, obs_groups, cfg["max_iterations"], generator, device)
