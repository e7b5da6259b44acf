# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Finds NaN and Inf in a rollout without waiting for the device at every step."""

from collections.abc import Sequence

import torch

from cgrpo_lab import distributed

NEVER = 2**31 - 1
"""Step of an entry that was always finite."""


class NonFiniteError(RuntimeError):
    """NaN or Inf in a rollout, with the culprit's name."""


class FiniteCheck:
    """Remembers when each entry of actions, observations and rewards was first not finite."""

    def __init__(
        self, num_envs: int, obs_dim: int, action_dim: int, device: torch.device | str, obs_names: Sequence[str]
    ) -> None:
        """Allocate the memory.

        Args:
            num_envs: Number of environments E.
            obs_dim: Entries of all observation groups together D.
            action_dim: Action entries A.
            device: Device of the rollout.
            obs_names: Name of every observation entry, length D.
        """
        self.obs_names = list(obs_names)
        # Within a step, observations follow from actions; a broken state shows in both observations and rewards, and
        # the observation tells more. So the first in this order, at the earliest step, is the cause.
        widths = {"action": action_dim, "observation": obs_dim, "reward": 1}
        self._first = {
            name: torch.full((num_envs, width), NEVER, dtype=torch.int32, device=device)
            for name, width in widths.items()
        }
        self._step = 0

    def start(self, obs: torch.Tensor) -> None:
        """Begin a rollout with observations [E, D]."""
        for first in self._first.values():
            first.fill_(NEVER)
        self._step = 0
        self._look("observation", obs)

    def add_step(self, obs: torch.Tensor, actions: torch.Tensor, rewards: torch.Tensor) -> None:
        """Look at one step: the actions [E, A], and the observations [E, D] and rewards [E] that followed."""
        self._step += 1
        self._look("action", actions)
        self._look("observation", obs)
        self._look("reward", rewards.unsqueeze(1))

    def _look(self, name: str, values: torch.Tensor) -> None:
        """Note the entries that are not finite for the first time."""
        first = self._first[name]
        first.masked_fill_(~torch.isfinite(values) & (first == NEVER), self._step)

    def report(self) -> str | None:
        """Describe where it began, or None where everything was finite.

        Returns:
            For example ``observation joint_vel[3] of env 17 (2 of 128 envs are affected)``.
        """
        earliest = torch.stack([first.min() for first in self._first.values()]).tolist()
        step = min(earliest)
        if step == NEVER:
            return None
        name = list(self._first)[earliest.index(step)]
        first = self._first[name]
        env, entry = (first == step).nonzero()[0].tolist()
        affected = int((first != NEVER).any(dim=1).sum())
        terms = {"action": [str(i) for i in range(first.shape[1])], "observation": self.obs_names, "reward": [""]}
        culprit = f"{name} {terms[name][entry]}".strip()
        return f"{culprit} of env {env} ({affected} of {len(first)} envs are affected)"

    def joint_report(self) -> str | None:
        """Describe what was found by any process, or None; every process must call this and gets the same answer."""
        reports = distributed.gather(self.report())
        found = [(process, report) for process, report in enumerate(reports) if report is not None]
        if not found:
            return None
        process, report = found[0]
        return f"{report} in process {process}" if len(reports) > 1 else report
