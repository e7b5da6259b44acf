# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Returns, lengths and outcomes of finished episodes, gathered on the device and read once per iteration."""

from collections import deque
from typing import Any

import torch

from cgrpo_lab import distributed

WINDOW_EPISODES = 100
"""Means are taken over at least this many of the latest episodes."""


class EpisodeStatistics:
    """Running sums over E environments; nothing waits for the device before :meth:`collect`."""

    def __init__(self, num_envs: int, device: torch.device | str) -> None:
        """Start with no finished episode."""
        self.running_return = torch.zeros(num_envs, device=device)
        self.running_length = torch.zeros(num_envs, device=device)
        self._sums: dict[str, torch.Tensor] = {}
        self._log_sums: dict[str, tuple[torch.Tensor, int]] = {}
        self._last_log: dict[str, Any] | None = None
        self._window: deque[dict[str, float]] = deque()
        self._shortened: torch.Tensor | None = None
        self._whole_ended = torch.zeros((), dtype=torch.bool, device=device)

    def begin_midway(self, ages: torch.Tensor) -> None:
        """Note that the episodes go on at these ages, so that what came before is missing in their returns.

        They count only until an episode ends that was seen whole: a return of half an episode is another quantity, and
        where rewards are negative a better one.

        Args:
            ages: Steps that each environment is said to have done, shape [E].
        """
        self._shortened = ages > 0

    def add_step(self, rewards: torch.Tensor, dones: torch.Tensor, extras: dict[str, Any]) -> None:
        """Record one step of all environments; an episode whose return is not finite is not counted.

        Args:
            rewards: Rewards, shape [E].
            dones: Whether the episode ended with this step, shape [E].
            extras: What the environment told beside it. ``outcome`` and ``outcome_value`` hold a tensor [E] per name,
                about each environment's latest finished episode; ``log`` holds means over the environments that were
                reset in this step.
        """
        self.running_return += rewards
        self.running_length += 1.0
        finished = dones.bool()
        # One bad reward would otherwise stand in every later mean.
        counted = finished & torch.isfinite(self.running_return)
        values = {"return": self.running_return, "length": self.running_length}
        if self._shortened is not None:
            counted &= ~(self._shortened & self._whole_ended)
            values["shortened"] = counted & self._shortened
            self._whole_ended |= (counted & ~self._shortened).any()
            self._shortened &= ~finished
        values["episodes"] = counted
        for group in ("outcome", "outcome_value"):
            values.update(extras.get(group, {}))
        for name, value in values.items():
            total = value.to(torch.float32).masked_fill(~counted, 0.0).sum()
            self._sums[name] = self._sums[name] + total if name in self._sums else total
        self.running_return.masked_fill_(finished, 0.0)
        self.running_length.masked_fill_(finished, 0.0)
        log = extras.get("log")
        # Isaac Lab keeps handing out the same dictionary until the next reset; count it once.
        if log is not None and log is not self._last_log:
            self._last_log = log
            for name, value in log.items():
                total, count = self._log_sums.get(name, (0.0, 0))
                self._log_sums[name] = (total + value, count + 1)

    def collect(self) -> dict[str, float]:
        """Close an iteration: means over the latest episodes, and of the environment's own log entries.

        Episodes and entries of all processes count, so all of them must call this.

        Returns:
            ``return``, ``length`` and each outcome as means over at least :data:`WINDOW_EPISODES` episodes (absent
            before the first episode has ended), ``shortened``, the share of these that began midway (absent if none
            ever did), ``episodes`` finished in this iteration, and the log entries.
        """
        sums, log_sums = self._joint_sums()
        if sums.get("episodes") and not sums.get("shortened"):
            self._window = deque(entry for entry in self._window if not entry.get("shortened"))
        if sums:
            self._window.append(sums)
        while len(self._window) > 1 and self._episodes() - self._window[0]["episodes"] >= WINDOW_EPISODES:
            self._window.popleft()
        means = {name: total / count for name, (total, count) in log_sums.items()}
        episodes = self._episodes()
        means["episodes"] = self._window[-1]["episodes"] if self._window else 0.0
        if episodes > 0.0:
            for name in sorted(set().union(*self._window) - {"episodes"}):
                means[name] = sum(entry.get(name, 0.0) for entry in self._window) / episodes
        return means

    def _joint_sums(self) -> tuple[dict[str, float], dict[str, tuple[float, int]]]:
        """Sums of this iteration over all processes, whose names may differ; those kept here begin anew."""
        names = list(self._sums)
        totals = torch.stack([self._sums[name] for name in names]).tolist() if names else []
        logs = {name: (float(total), count) for name, (total, count) in self._log_sums.items()}
        self._sums.clear()
        self._log_sums.clear()
        sums: dict[str, float] = {}
        log_sums: dict[str, tuple[float, int]] = {}
        for their_sums, their_logs in distributed.gather((dict(zip(names, totals, strict=True)), logs)):
            for name, total in their_sums.items():
                sums[name] = sums.get(name, 0.0) + total
            for name, (total, count) in their_logs.items():
                earlier, times = log_sums.get(name, (0.0, 0))
                log_sums[name] = (earlier + total, times + count)
        return sums, log_sums

    def _episodes(self) -> float:
        """Episodes in the window."""
        return sum(entry["episodes"] for entry in self._window)

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            "running_return": self.running_return.clone(),
            "running_length": self.running_length.clone(),
            "window": list(self._window),
            "shortened": None if self._shortened is None else self._shortened.clone(),
            "whole_ended": self._whole_ended.clone(),
        }

    def load_state_dict(self, state: dict[str, Any], with_running: bool = True) -> None:
        """Restore a state.

        Args:
            state: What :meth:`state_dict` returned.
            with_running: Whether the environments go on with their episodes, so that what these have returned so far
                counts; it never does with another number of environments.
        """
        if with_running and state["running_return"].shape == self.running_return.shape:
            self.running_return.copy_(state["running_return"])
            self.running_length.copy_(state["running_length"])
            if state.get("shortened") is not None:
                self._shortened = state["shortened"].to(self.running_length.device).clone()
        # Checkpoints of earlier versions lack both.
        self._whole_ended.copy_(state.get("whole_ended", self._whole_ended))
        self._window = deque(state["window"])
