# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Group Policy Gradient (arXiv 2510.03679): return-to-go against trajectories that passed the same bin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cgrpo_lab import distributed
from cgrpo_lab.advantages.binning import make_binning
from cgrpo_lab.advantages.group_means import GroupMeans
from cgrpo_lab.validation import require_number

if TYPE_CHECKING:
    from cgrpo_lab.rollouts import GroupRollout


class TimeStep(GroupMeans):
    """Return-to-go minus the mean return-to-go of the others at their first visit to the same bin.

    A binning function ``f(s, t)`` says what is comparable: by default steps of the same age, ``f = t``. A trajectory
    (the part of an episode inside the rollout) enters the mean of a bin once, when it first comes there; so a long stay
    weighs no more than a short one. Every step, a first visit or not, is compared with that mean:
    ``A_t = G_t - mean of G over the others' first visits to f(s_t, t)``.

    Beyond the paper, whose trajectories are whole episodes and whose mean contains the sample itself, the own
    environment is left out, sparse bins fall back and cut returns are continued as :class:`GroupMeans` says. A bin
    that a rollout does not visit keeps its value: where all environments are of the same age, the rollout ends in a
    bin that was last visited an episode ago.
    """

    bin_keys: Tensor
    """Keys of the known bins, ascending, ``[K]`` int64."""

    def __init__(
        self,
        *,
        num_states: int,
        device: str | torch.device,
        generator: torch.Generator,
        gamma: float = 0.99,
        binning: str = "time_step",
        binning_options: dict[str, Any] | None = None,
        min_others: int = 8,
        max_bins: int = 1024,
    ):
        """Choose the bins.

        Args:
            num_states: Size ``S`` of a state.
            device: Device of the rollouts.
            generator: Not drawn from: nothing here is random.
            gamma: Discount factor of one step.
            binning: ``constant``, ``time_step`` or ``state_grid``; see :mod:`cgrpo_lab.advantages.binning`.
            binning_options: Constructor options of the binning function.
            min_others: Fewest first visits of other environments that make the mean of a bin.
            max_bins: Most bins that are kept, those of most visits first; steps in others are without a bin. Bounds
                memory and the cost of their values, which grows with its cube.

        Raises:
            ValueError: If an option is out of its bounds or unknown.
        """
        super().__init__(num_states=num_states, device=device, generator=generator, gamma=gamma, min_others=min_others)
        require_number("max_bins", max_bins, at_least=1, integer=True)
        self.max_bins = max_bins
        self.binning = make_binning(binning, binning_options or {})
        self.register_buffer("bin_keys", torch.empty(0, dtype=torch.int64, device=self.device))

    @property
    def num_groups(self) -> int:
        """Number of known bins."""
        return len(self.bin_keys)

    def _label(self, states: Tensor, steps: Tensor) -> Tensor:
        return positions_in(self.bin_keys, self.binning(states, steps))

    def _regroup(self, rollout: GroupRollout, steps: Tensor) -> tuple[Tensor, Tensor]:
        keys = self.binning(rollout.states.flatten(0, 1), steps.flatten())
        acted_upon = keys[: rollout.rewards.numel()]
        candidates = torch.cat((self.bin_keys, distributed.concatenate(acted_upon.unique()))).unique()
        visits = torch.bincount(torch.searchsorted(candidates, acted_upon), minlength=len(candidates))
        visits = distributed.all_sum(visits)
        # Stable, so that which of equally visited bins are kept does not depend on the device.
        kept = visits.argsort(descending=True, stable=True)[: self.max_bins].sort().values
        bins = candidates[kept]
        known = positions_in(self.bin_keys, bins)
        earlier = torch.full((len(bins),), torch.nan, dtype=torch.float64, device=keys.device)
        earlier[known >= 0] = self.group_values[known[known >= 0]].double()
        self.bin_keys = bins
        return positions_in(bins, keys).view(steps.shape), earlier

    def _counts(self, rollout: GroupRollout, labels: Tensor) -> Tensor:
        return first_visits(labels, rollout.dones)

    def _diagnostics(self, labels: Tensor) -> dict[str, Tensor]:
        visits = distributed.all_sum(torch.bincount(labels.flatten() + 1, minlength=self.num_groups + 1))
        return {
            "num_bins": (visits[1:] > 0).sum().float(),
            "unbinned_share": visits[0] / visits.sum(),
        }


def positions_in(keys: Tensor, values: Tensor) -> Tensor:
    """Find values in a table.

    Args:
        keys: The table, ascending, ``[K]``.
        values: What to find, ``[P]``.

    Returns:
        Positions in the table, ``[P]`` int64; -1 for what is not there.
    """
    if not len(keys):
        return torch.full_like(values, -1)
    positions = torch.searchsorted(keys, values).clamp_max(len(keys) - 1)
    return torch.where(keys[positions] == values, positions, -1)


def first_visits(labels: Tensor, dones: Tensor) -> Tensor:
    """Mark the steps at which a trajectory comes to a bin for the first time.

    Args:
        labels: Bins, ``[T, E]`` int64; -1 counts as one.
        dones: Ends of episodes, ``[T, E]`` bool; a new trajectory follows.

    Returns:
        Whether a step is a first visit, ``[T, E]`` bool.
    """
    num_steps, num_envs = labels.shape
    trajectory = dones.cumsum(dim=0) - dones.long()
    visit = ((labels + 1) * num_envs + torch.arange(num_envs, device=labels.device)) * num_steps + trajectory
    # Stable, so that equal visits stay in the order of time.
    ordered, order = visit.flatten().sort(stable=True)
    begins = torch.ones_like(ordered, dtype=torch.bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    return torch.empty_like(begins).scatter_(0, order, begins).view(num_steps, num_envs)
