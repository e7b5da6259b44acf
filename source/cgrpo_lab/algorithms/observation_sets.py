# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Which observation groups the policies and the estimator see."""

import torch
from tensordict import TensorDict

from cgrpo_lab.validation import ConfigError


def resolve_obs_groups(obs: TensorDict, obs_groups: dict[str, list[str]]) -> dict[str, list[str]]:
    """Complete the observation sets: ``actor`` is the group ``policy`` and ``state`` what the actor sees, unless given.

    Raises:
        ConfigError: If a set names a group that the environment does not have.
    """
    actor = obs_groups.get("actor", ["policy"])
    resolved = {"actor": actor, "state": obs_groups.get("state", actor)}
    for name, groups in resolved.items():
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
