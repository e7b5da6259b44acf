# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Checks of an agent's settings that need no simulation, so that a mistake shows before anything is made."""

import math
from typing import Any

import torch

from cgrpo_app.errors import UserError
from cgrpo_lab.advantages import make_estimator
from cgrpo_lab.algorithms.config import CGRPOCfg, ConfigError, GroupPolicyCfg

POSITIVE_NUMBERS = ("learning_rate", "max_grad_norm", "clip_param", "desired_kl")
POSITIVE_INTEGERS = ("num_learning_epochs", "num_mini_batches")


def check_agent(agent_cfg: Any, num_envs: int) -> None:
    """Check runner and algorithm settings.

    Args:
        agent_cfg: Runner config of a task.
        num_envs: Number of environments.

    Raises:
        UserError: If a runner setting cannot be used.
        ConfigError: If an algorithm setting cannot be used.
    """
    for name in ("num_steps_per_env", "max_iterations", "save_interval"):
        _require(
            f"agent.{name}",
            vars(agent_cfg)[name],
            _is_count(vars(agent_cfg)[name]),
            "must be a whole number of at least 1",
        )
    _require(
        "agent.seed",
        agent_cfg.seed,
        isinstance(agent_cfg.seed, int) and agent_cfg.seed >= 0,
        "must be a whole number of at least 0",
    )
    _require("num_envs", num_envs, _is_count(num_envs), "must be a whole number of at least 1")
    if isinstance(agent_cfg.algorithm, CGRPOCfg):
        _check_cgrpo(agent_cfg, num_envs)
    else:
        _check_ppo(agent_cfg.algorithm)


def _check_cgrpo(agent_cfg: Any, num_envs: int) -> None:
    """Settings of our algorithm, its estimator and its policies."""
    algorithm = CGRPOCfg.from_dict(dict(vars(agent_cfg.algorithm)))
    algorithm.check_sizes(num_envs, agent_cfg.num_steps_per_env)
    GroupPolicyCfg.from_dict(dict(vars(agent_cfg.group_policy)))
    try:
        make_estimator(
            algorithm.estimator,
            num_states=1,
            device="cpu",
            generator=torch.Generator(),
            gamma=algorithm.gamma,
            **algorithm.estimator_options,
        )
    except (ValueError, TypeError) as error:
        raise ConfigError(f"estimator: {error}") from error


def _check_ppo(algorithm: Any) -> None:
    """The settings of rsl_rl's PPO that would fail late or silently."""
    for name in POSITIVE_NUMBERS:
        value = vars(algorithm)[name]
        _require(
            f"agent.algorithm.{name}",
            value,
            isinstance(value, (int, float)) and math.isfinite(value) and value > 0.0,
            "must be a positive number",
        )
    for name in POSITIVE_INTEGERS:
        _require(
            f"agent.algorithm.{name}",
            vars(algorithm)[name],
            _is_count(vars(algorithm)[name]),
            "must be a whole number of at least 1",
        )
    for name in ("gamma", "lam"):
        value = vars(algorithm)[name]
        _require(
            f"agent.algorithm.{name}",
            value,
            isinstance(value, (int, float)) and 0.0 <= value <= 1.0,
            "must lie in [0, 1]",
        )


def _is_count(value: object) -> bool:
    """Whether a value is a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _require(name: str, value: object, valid: bool, remedy: str) -> None:
    """Raise a UserError unless ``valid``."""
    if not valid:
        raise UserError(f"{name}={value!r}: {remedy}.")
