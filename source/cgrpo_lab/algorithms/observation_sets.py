# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Which observation groups the policies and the estimator see."""

from collections.abc import Mapping

import torch
from tensordict import TensorDict

from cgrpo_lab.validation import ConfigError

HOW = """'agent.obs_groups.state=["policy"]' with both kinds of quotes"""
"""How to write a list of names on a command line, where Isaac Lab takes ``[policy]`` for a text."""


def resolve_obs_groups(obs: TensorDict, obs_groups: dict[str, list[str]]) -> dict[str, list[str]]:
    """Complete the observation sets: ``actor`` is the group ``policy`` and ``state`` what the actor sees, unless given.

    Raises:
        ConfigError: If a set is not a list of names, or names a group that the environment does not have.
    """
    if not isinstance(obs_groups, Mapping):
        raise ConfigError(f"obs_groups={obs_groups}: must name lists of observation groups; give {HOW}.")
    actor = obs_groups.get("actor", ["policy"])
    resolved = {"actor": actor, "state": obs_groups.get("state", actor)}
    for name, groups in resolved.items():
        if isinstance(groups, str):
            raise ConfigError(f"obs_groups.{name}={groups}: must be a list of observation groups; give {HOW}.")
        missing = [group for group in groups if group not in obs]
        if missing or not groups:
            raise ConfigError(
                f"obs_groups.{name}={groups}: the environment has the groups {sorted(obs.keys())}; name one or more of "
                "them."
            )
    return resolved


def width(obs: TensorDict, groups: list[str]) -> int:
    """Number of entries of the concatenated groups."""
    return sum(obs[group].shape[-1] for group in groups)


def select(obs: TensorDict, groups: list[str]) -> torch.Tensor:
    """Concatenate observation groups, each [E, ...] -> [E, D]."""
    return torch.cat([obs[name] for name in groups], dim=-1)
