# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Checks of an agent's settings that need no simulation, so that a mistake shows before anything is made."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import torch
from rsl_rl.utils import resolve_nn_activation

from cgrpo_app.errors import UserError
from cgrpo_app.extras import require_extra
from cgrpo_app.parsers import LOGGERS
from cgrpo_lab.advantages import make_estimator
from cgrpo_lab.algorithms.config import SCHEDULES, CGRPOCfg, GroupPolicyCfg
from cgrpo_lab.baselines import OffPolicyCfg, SkrlCfg
from cgrpo_lab.policies import GroupPolicy, HiddenLayers
from cgrpo_lab.validation import ConfigError, require_number, require_sizes

LARGEST_SEED = 4_000_000_000
"""NumPy takes seeds below 2^32; an evaluation and the processes of a training add to theirs."""


def check_agent(agent_cfg: Any, num_envs: int) -> None:
    """Check runner and algorithm settings.

    Args:
        agent_cfg: Runner config of a task.
        num_envs: Number of environments.

    Raises:
        ConfigError: If a setting cannot be used.
    """
    for name in ("num_steps_per_env", "max_iterations", "save_interval"):
        require_number(f"agent.{name}", vars(agent_cfg)[name], at_least=1, integer=True)
    require_number("agent.seed", agent_cfg.seed, at_least=0, at_most=LARGEST_SEED, integer=True)
    _check_logger(agent_cfg.logger)
    if isinstance(agent_cfg.algorithm, CGRPOCfg):
        _check_cgrpo(agent_cfg, num_envs)
        _check_obs_sets(agent_cfg.obs_groups, ("actor", "state"))
    elif isinstance(agent_cfg.algorithm, SkrlCfg):
        agent_cfg.algorithm.validate()
        _check_obs_sets(agent_cfg.obs_groups, ("actor",))
    else:
        _check_ppo(agent_cfg, num_envs)


def check_budget(agent_cfg: Any, num_envs: int) -> None:
    """Check that a training is longer than the random actions with which an off-policy agent begins.

    Args:
        agent_cfg: Runner config of a task.
        num_envs: Number of environments, those of all processes.

    Raises:
        ConfigError: If nothing would be learned.
    """
    steps = agent_cfg.max_iterations * agent_cfg.num_steps_per_env * num_envs
    if isinstance(agent_cfg.algorithm, OffPolicyCfg) and agent_cfg.algorithm.random_steps >= steps:
        raise ConfigError(
            f"agent.algorithm.random_steps={agent_cfg.algorithm.random_steps}: all {steps} env steps of this training "
            "would be random; give it more (--steps), or lower this."
        )


def check_skrl(agent_cfg: Any) -> None:
    """Check that an agent of skrl can be imported, which is an extra and joins no processes but its own.

    Args:
        agent_cfg: Runner config of a task.

    Raises:
        UserError: If skrl is missing, or the command is one of several processes.
    """
    if not isinstance(agent_cfg.algorithm, SkrlCfg):
        return
    agent = f"--agent {agent_cfg.algorithm.class_name.split(':')[-1].lower()}"
    require_extra(agent, "skrl", "baselines")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(f"{agent}: learns in one process; start it without torch.distributed.run.")


def _check_logger(logger: str) -> None:
    """Raise a UserError if rsl_rl cannot write metrics there."""
    if logger not in LOGGERS:
        raise UserError(f"agent.logger={logger}: must be one of {', '.join(LOGGERS)}.")
    if logger != "tensorboard" and find_spec(logger) is None:
        raise UserError(f"--logger {logger}: not installed; './isaaclab.sh -p -m pip install {logger}' installs it.")


def _check_obs_sets(obs_groups: Any, known: tuple[str, ...]) -> None:
    """Raise a ConfigError if observation groups are chosen for somebody who is not there."""
    for name in obs_groups if isinstance(obs_groups, Mapping) else ():
        if name not in known:
            raise ConfigError(f"agent.obs_groups.{name}: this agent does not read it; it has {', '.join(known)}.")


def _check_cgrpo(agent_cfg: Any, num_envs: int) -> None:
    """Settings of our algorithm, its estimator and its policies."""
    algorithm = CGRPOCfg.from_dict(dict(vars(agent_cfg.algorithm)))
    algorithm.check_sizes(num_envs, agent_cfg.num_steps_per_env)
    if algorithm.estimator == "episode" and agent_cfg.init_at_random_ep_len:
        raise ConfigError(
            "agent.init_at_random_ep_len=True: estimator='episode' compares episodes that begin together; set it to "
            "false, or choose --agent grpo."
        )
    policies = GroupPolicyCfg.from_dict(dict(vars(agent_cfg.group_policy)))
    policy = GroupPolicy(num_policies=1, obs_dim=1, action_dim=1, **vars(policies))
    try:
        estimator = make_estimator(
            algorithm.estimator,
            num_states=1,
            device="cpu",
            generator=torch.Generator(),
            freeze_encoder=lambda: HiddenLayers(policy),
            gamma=algorithm.gamma,
            **algorithm.estimator_options,
        )
        estimator.check_envs(num_envs // algorithm.num_policies)
    except ConfigError:
        raise
    except (ValueError, TypeError) as error:
        # An option of the wrong type that the estimator hands on.
        raise ConfigError(f"estimator_options={algorithm.estimator_options!r}: {error}") from error


def _check_ppo(agent_cfg: Any, num_envs: int) -> None:
    """The settings of rsl_rl's PPO that would fail late or silently."""
    algorithm = agent_cfg.algorithm
    for name in ("learning_rate", "max_grad_norm", "clip_param", "desired_kl"):
        require_number(f"agent.algorithm.{name}", vars(algorithm)[name], above=0.0)
    for name in ("entropy_coef", "value_loss_coef"):
        require_number(f"agent.algorithm.{name}", vars(algorithm)[name], at_least=0.0)
    require_number("agent.algorithm.num_learning_epochs", algorithm.num_learning_epochs, at_least=1, integer=True)
    # With more minibatches than samples rsl_rl makes empty ones and learns nothing.
    samples = num_envs * agent_cfg.num_steps_per_env
    require_number(
        "agent.algorithm.num_mini_batches", algorithm.num_mini_batches, at_least=1, at_most=samples, integer=True
    )
    for name in ("gamma", "lam"):
        require_number(f"agent.algorithm.{name}", vars(algorithm)[name], at_least=0.0, at_most=1.0)
    if algorithm.schedule not in SCHEDULES:
        # rsl_rl takes any other word for "fixed".
        raise ConfigError(f"agent.algorithm.schedule={algorithm.schedule!r}: must be one of {', '.join(SCHEDULES)}.")
    for name in ("actor", "critic"):
        _check_network(f"agent.{name}", vars(agent_cfg)[name])


def _check_network(name: str, model: Any) -> None:
    """Layers and activation of one of rsl_rl's networks."""
    require_sizes(f"{name}.hidden_dims", model.hidden_dims)
    try:
        resolve_nn_activation(model.activation)
    except ValueError:
        raise ConfigError(f"{name}.activation={model.activation}: rsl_rl has no such activation; take elu.") from None
