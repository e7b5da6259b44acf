# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Our agents for tasks of others, which have rsl_rl's PPO: the same policy, rollout and update, without the critic."""

import contextlib
import copy
import dataclasses
import math
from collections.abc import Callable
from typing import Any

import gymnasium as gym

from isaaclab_rl.rsl_rl import (
    RslRlBaseRunnerCfg,
    RslRlOnPolicyRunnerCfg,
    RslRlPpoAlgorithmCfg,
    handle_deprecated_rsl_rl_cfg,
)

from isaaclab_tasks.utils import PresetCfg, load_cfg_from_registry, preset

from cgrpo_lab.algorithms.config import CGRPOCfg, GroupPolicyCfg
from cgrpo_tasks.agents import PAPER_FULL, PAPER_SIMPLE, CGRPORunnerCfg

DEFAULT, PPO, OWN = "rsl_rl_cfg_entry_point", "rsl_rl_ppo_cfg_entry_point", "rsl_rl_cgrpo_cfg_entry_point"
"""Where Isaac Lab's tasks register their default agent, ours their PPO, and a task its own settings of CGRPO."""

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    DEFAULT: ("cgrpo", {}),
    "rsl_rl_cgrpo_full_cfg_entry_point": ("cgrpo_full", PAPER_FULL),
    "rsl_rl_cgrpo_simple_cfg_entry_point": ("cgrpo_simple", PAPER_SIMPLE),
    "rsl_rl_gpg_cfg_entry_point": ("gpg", {"estimator": "time_step"}),
}
"""Derived agents: name and settings beside PPO's. Episodic GRPO is none, as its rollouts are whole episodes."""

SHARED = (
    *("gamma", "clip_param", "entropy_coef", "num_learning_epochs", "num_mini_batches"),
    *("learning_rate", "schedule", "desired_kl", "max_grad_norm"),
)
"""Settings of rsl_rl's PPO that CGRPO has under the same name."""

LAM = 0.95
"""Lambda of the advantages that the default estimator has unless told."""

SET_ANEW = ("class_name", "device", "empirical_normalization", "obs_groups", "experiment_name")
"""Fields of the runner that are not taken over as they are."""


def adopt(task: str) -> None:
    """Give a task whose default agent is rsl_rl's PPO the agents of :data:`VARIANTS`, and that PPO the name ``ppo``.

    What else the task registers stays, and its own CGRPO, if there is one, becomes the default agent. A task whose
    default agent cannot be trained here, as its policy is not feed-forward or its algorithm another, has none
    afterwards.

    Args:
        task: Id of a registered task.
    """
    kwargs = gym.spec(task).kwargs
    if DEFAULT not in kwargs:
        return
    cfg = load_cfg_from_registry(task, DEFAULT)
    choices = list(_choices(cfg).values()) if isinstance(cfg, PresetCfg) else [cfg]
    if any(isinstance(getattr(choice, "algorithm", None), CGRPOCfg) for choice in choices):
        return
    entry_point = kwargs.pop(DEFAULT)
    if all(_is_feed_forward_ppo(choice) for choice in choices):
        kwargs[PPO] = entry_point
        for key, (name, settings) in VARIANTS.items():
            kwargs.setdefault(key, _entry_point(cfg, name, settings))
    if OWN in kwargs:
        kwargs[DEFAULT] = kwargs[OWN]


def _is_feed_forward_ppo(cfg: Any) -> bool:
    if not isinstance(cfg, RslRlOnPolicyRunnerCfg) or not isinstance(cfg.algorithm, RslRlPpoAlgorithmCfg):
        return False
    return cfg.algorithm.class_name == "PPO" and _current(cfg).actor.class_name == "MLPModel"


def _current(cfg: RslRlOnPolicyRunnerCfg) -> RslRlOnPolicyRunnerCfg:
    """Copy with the fields of this rsl_rl, whichever those of the task are."""
    with contextlib.redirect_stdout(None):  # it warns of the old ones, which only the task's author can change
        return handle_deprecated_rsl_rl_cfg(copy.deepcopy(cfg), "5.5.1")


def _entry_point(cfg: Any, name: str, settings: dict[str, Any]) -> Callable[[], Any]:
    """What Isaac Lab calls for a configuration: that of each choice where there are several."""
    return lambda: _for_each_choice(cfg, lambda choice: derive(choice, name, settings))


def _for_each_choice(value: Any, change: Callable[[Any], Any]) -> Any:
    """Apply a function to a value, or to every alternative of one of Isaac Lab's presets."""
    if not isinstance(value, PresetCfg):
        return change(value)
    return preset(**{name: change(choice) for name, choice in _choices(value).items()})


def _choices(value: PresetCfg) -> dict[str, Any]:
    """Alternatives by name; as for Isaac Lab, what a module has set on the class later comes first."""
    names = [field.name for field in dataclasses.fields(value)]
    on_class = {name: getattr(type(value), name, None) for name in names}
    return {name: vars(value)[name] if on_class[name] is None else on_class[name] for name in names}


def derive(ppo_cfg: RslRlOnPolicyRunnerCfg, name: str, settings: dict[str, Any]) -> CGRPORunnerCfg:
    """Configuration of CGRPO from one of PPO with a feed-forward policy.

    The policy stays PPO's, an unbounded Gaussian with its network, initial noise and normaliser, and so do the rollout
    and the settings of the update; the critic and the settings of its learning are gone.

    Args:
        ppo_cfg: rsl_rl's configuration, which is left as it is.
        name: Name of the agent, appended to that of the experiment.
        settings: Fields of :class:`CGRPOCfg` that make the agent what it is.
    """
    ppo = _current(ppo_cfg)
    runner = {
        field.name: vars(ppo)[field.name]
        for field in dataclasses.fields(RslRlBaseRunnerCfg)
        if field.name not in SET_ANEW
    }
    if settings.get("estimator") == "time_step":
        runner["init_at_random_ep_len"] = False  # it compares envs of the same age
    algorithm = {field: vars(ppo.algorithm)[field] for field in SHARED} | settings
    if "estimator" not in settings and ppo.algorithm.lam != LAM:
        # Left out where it makes no difference: estimators that a user may choose instead have no such option.
        algorithm["estimator_options"] = {"lam": ppo.algorithm.lam}
    # As many samples of each policy in a minibatch as PPO has.
    algorithm["num_mini_batches"] = max(algorithm["num_mini_batches"] // settings.get("num_policies", 1), 1)
    groups = ppo.obs_groups if isinstance(ppo.obs_groups, dict) else {}
    std = vars(ppo.actor.distribution_cfg).get("init_std", 1.0)
    return CGRPORunnerCfg(
        **runner,
        experiment_name=_for_each_choice(ppo.experiment_name, lambda experiment: f"{experiment}_{name}"),
        obs_groups={"actor": groups.get("actor", groups.get("policy", ["policy"]))},
        algorithm=CGRPOCfg(**algorithm),
        group_policy=GroupPolicyCfg(
            hidden_dims=list(ppo.actor.hidden_dims),
            activation=ppo.actor.activation,
            init_log_std=math.log(std),
            squash=False,
            obs_normalization=ppo.actor.obs_normalization,
        ),
    )
