# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Finds NaN and Inf in a rollout without waiting for the device at every step."""

from collections.abc import Sequence

import torch


class FiniteCheck:
    """Remembers which entries of observations, actions and rewards were ever not finite."""

    def __init__(
        self, num_envs: int, obs_dim: int, action_dim: int, device: torch.device | str, obs_names: Sequence[str]
    ) -> None:
        """Allocate the flags.

        Args:
            num_envs: Number of environments E.
            obs_dim: Entries of all observation groups together D.
            action_dim: Action entries A.
            device: Device of the rollout.
            obs_names: Name of every observation entry, length D.
        """
        self.obs_names = list(obs_names)
        self._bad = {
            "observation": torch.zeros(num_envs, obs_dim, dtype=torch.bool, device=device),
            "action": torch.zeros(num_envs, action_dim, dtype=torch.bool, device=device),
            "reward": torch.zeros(num_envs, 1, dtype=torch.bool, device=device),
        }

    def add_step(self, obs: torch.Tensor, actions: torch.Tensor, rewards: torch.Tensor) -> None:
        """Look at one step: [E, D], [E, A], [E]."""
        for name, values in (("observation", obs), ("action", actions), ("reward", rewards.unsqueeze(1))):
            self._bad[name] |= ~torch.isfinite(values)

    def report(self) -> str | None:
        """Describe the first culprit of the rollout, or None where everything was finite; and start anew.

        Returns:
            For example ``observation joint_vel[3] of env 17 (2 of 128 envs are affected)``.
        """
        found = torch.stack([flags.any() for flags in self._bad.values()])
        if not found.any():
            return None
        # Actions follow from observations and rewards from both, so the first in this order is the cause.
        name = next(name for name, is_bad in zip(self._bad, found.tolist(), strict=True) if is_bad)
        flags = self._bad[name]
        env, entry = flags.nonzero()[0].tolist()
        affected = int(flags.any(dim=1).sum())
        label = {
            "observation": f"observation {self.obs_names[entry]}" if name == "observation" else "",
            "action": f"action {entry}",
            "reward": "reward",
        }[name]
        message = f"{label} of env {env} ({affected} of {flags.shape[0]} envs are affected)"
        for each in self._bad.values():
            each.zero_()
        return message
