# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Return-to-go against the mean of a group of samples: what cluster and binning estimators have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from cgrpo_lab import distributed
from cgrpo_lab.advantages.base import AdvantageEstimator, GroupAdvantages, explained_variance
from cgrpo_lab.advantages.returns import return_to_go
from cgrpo_lab.clustering import ResizableBuffers
from cgrpo_lab.validation import require_number

if TYPE_CHECKING:
    from cgrpo_lab.rollouts import GroupRollout


class GroupMeans(ResizableBuffers, AdvantageEstimator):
    """Return-to-go minus the mean return-to-go of the others in the same group of samples.

    What a group is, a subclass says. What they share:

    - The mean leaves out the sample's own environment: with it, an action would influence its own baseline, and a long
      stay in one group would be compared with itself.
    - Where fewer than ``min_others`` samples of others remain in the group, and for samples without one, the mean of
      the others at the same step of the rollout takes its place, and where that has too few, the mean of all others.
    - A rollout cut short (its end, and time-outs) is continued by the value of the state's group: the group means that
      agree with themselves when used so (:func:`consistent_means`), found on the iteration *before*, which keeps a
      trajectory out of its own baseline here too. The very first iteration has nothing before it and uses its own.
    """

    group_values: Tensor
    """Values of the groups of the last iteration and, last, of all states together, ``[K+1]``; empty before it."""

    def __init__(
        self,
        *,
        num_states: int,
        device: str | torch.device,
        generator: torch.Generator,
        gamma: float,
        min_others: int,
    ):
        """Start without groups.

        Args:
            num_states: Size ``S`` of a state.
            device: Device of the rollouts.
            generator: Source of all randomness.
            gamma: Discount factor of one step, below 1.
            min_others: Fewest samples of other environments that make a group mean.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        super().__init__(num_states=num_states, device=device, generator=generator, gamma=gamma)
        require_number("gamma", gamma, at_least=0.0, below=1.0)
        require_number("min_others", min_others, at_least=1, integer=True)
        self.min_others = min_others
        self.register_buffer("group_values", torch.empty(0, device=self.device))

    @property
    @abstractmethod
    def num_groups(self) -> int:
        """Number of groups ``K``."""

    @abstractmethod
    def _label(self, states: Tensor, steps: Tensor) -> Tensor:
        """Groups ``[P]`` of states ``[P, S]`` at steps ``[P]`` of their episodes; -1 for none."""

    @abstractmethod
    def _regroup(self, rollout: GroupRollout, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Form the groups anew.

        Args:
            rollout: The rollout whose samples are to be grouped.
            steps: Steps since the episode began, of all states, ``[T+1, E]``.

        Returns:
            Groups of all states, ``[T+1, E]``, and the values ``[K]`` float64 that groups had before, NaN for new ones.
        """

    @abstractmethod
    def _counts(self, rollout: GroupRollout, labels: Tensor) -> Tensor:
        """Whether each sample enters the mean of its group, ``[T, E]`` bool."""

    @abstractmethod
    def _diagnostics(self, labels: Tensor) -> dict[str, Tensor]:
        """How the samples, labelled ``[T, E]``, spread over the groups."""

    @torch.no_grad()
    def forward(self, rollout: GroupRollout) -> GroupAdvantages:
        """Group the samples of a rollout and compare the returns within the groups.

        Args:
            rollout: States ``[T+1, E, S]``, rewards, terminations, time-outs and episode steps ``[T, E]``.

        Returns:
            Advantages, baseline (both ``[T, E]``) and diagnostics.

        Raises:
            ValueError: If there is one environment only, or states are not finite.
        """
        if rollout.rewards.shape[1] * distributed.world_size() < 2:
            raise ValueError("num_envs = 1 leaves no other trajectory to compare with: give at least 2")
        steps = episode_steps_of_states(rollout)
        is_first = not self.group_values.numel()
        if is_first:
            labels, counted = self._learn(rollout, steps)
        returns = self._returns(rollout, steps)
        if not is_first:
            labels, counted = self._learn(rollout, steps)
        baseline, fell_back = leave_one_out_means(returns, labels, self.num_groups, self.min_others, counted)
        diagnostics = {
            "explained_variance": explained_variance(returns, baseline),
            "fallback_share": distributed.all_mean(fell_back.float().mean()),
            **self._diagnostics(labels),
        }
        return GroupAdvantages(returns - baseline, baseline, diagnostics)

    def _learn(self, rollout: GroupRollout, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Form the groups and value them; returns labels and which samples count, both ``[T, E]``."""
        all_labels, earlier = self._regroup(rollout, steps)
        labels = all_labels[:-1]
        counted = self._counts(rollout, labels)
        sums = GroupSums.of(rollout, all_labels, self.num_groups, self.gamma, counted)
        self.group_values = consistent_means(sums, earlier).to(rollout.rewards.dtype)
        return labels, counted

    def _returns(self, rollout: GroupRollout, steps: Tensor) -> Tensor:
        """Returns-to-go ``[T, E]``, continued by the values from before the iteration."""
        time_out_values = torch.zeros_like(rollout.rewards)
        cut = rollout.time_outs
        if cut.any():
            time_out_values[cut] = self._value(rollout.states[:-1][cut], steps[:-1][cut])
        return return_to_go(
            rollout.rewards,
            rollout.terminated,
            rollout.time_outs,
            gamma=self.gamma,
            tail_values=self._value(rollout.states[-1], steps[-1]),
            time_out_values=time_out_values,
        )

    def _value(self, states: Tensor, steps: Tensor) -> Tensor:
        """Values ``[P]``; a state without a group takes the last entry, the value of all states together."""
        return self.group_values[self._label(states, steps)]


def episode_steps_of_states(rollout: GroupRollout) -> Tensor:
    """Steps since the episode began, for the state after the last step too: ``[T+1, E]``."""
    following = (rollout.episode_steps[-1] + 1).masked_fill(rollout.dones[-1], 0)
    return torch.cat((rollout.episode_steps, following[None]))


def leave_one_out_means(
    returns: Tensor, labels: Tensor, num_groups: int, min_others: int, counted: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Average the returns of the *other* environments: in the group, else at the same step, else over everything.

    Args:
        returns: Returns-to-go, ``[T, E]``; in all processes together of at least two environments.
        labels: Groups, ``[T, E]`` int64; -1 for none.
        num_groups: Number of groups ``K``.
        min_others: Fewest samples of others for the first two kinds of mean.
        counted: Which samples enter the mean of their group, ``[T, E]`` bool; None for all.

    Returns:
        Means ``[T, E]`` and whether each is not that of its group, ``[T, E]`` bool.
    """
    num_steps, num_envs = returns.shape
    # float64: a sum over everything minus the own part cancels where one trajectory fills a group.
    doubles = returns.double()
    weights = torch.ones_like(doubles) if counted is None else counted.double()
    groups = torch.where(labels < 0, num_groups, labels)
    keys = (groups * num_envs + torch.arange(num_envs, device=labels.device)).flatten()
    own_counts = doubles.new_zeros((num_groups + 1) * num_envs).index_add_(0, keys, weights.flatten())
    own_sums = torch.zeros_like(own_counts).index_add_(0, keys, (weights * doubles).flatten())

    def others(own: Tensor) -> Tensor:
        """Totals per group minus the part of each environment, picked for each sample: ``[T, E]``."""
        table = own.view(num_groups + 1, num_envs)
        return (distributed.all_sum(table.sum(dim=1, keepdim=True)) - table).flatten()[keys].view(num_steps, num_envs)

    counts = others(own_counts)
    in_group = (labels >= 0) & (counts >= min_others)
    group_means = others(own_sums) / counts.clamp_min(1)
    num_others = num_envs * distributed.world_size() - 1
    sums = distributed.all_sum(doubles.sum(dim=1, keepdim=True))
    fallback = (sums.sum() - doubles.sum(dim=0)) / (num_steps * num_others)
    if num_others >= min_others:
        fallback = (sums - doubles) / num_others
    return torch.where(in_group, group_means, fallback).to(returns.dtype), ~in_group


class GroupSums(NamedTuple):
    """Sums over the samples of a rollout by group; the last of the ``K+1`` rows is over all samples.

    A sample's return-to-go is ``reward + weight * value of the group in which the rollout was cut``.
    """

    counts: Tensor
    """Number of samples, ``[K+1]``."""
    rewards: Tensor
    """Discounted rewards up to the cut, ``[K+1]``."""
    weights: Tensor
    """Discounts of the value at the cut, by group of the sample and group of the cut, ``[K+1, K+1]``."""

    @staticmethod
    def of(
        rollout: GroupRollout, labels: Tensor, num_groups: int, gamma: float, counted: Tensor | None = None
    ) -> GroupSums:
        """Sum up a rollout.

        Args:
            rollout: Rewards, terminations and time-outs ``[T, E]``.
            labels: Groups of all states, ``[T+1, E]`` int64; -1 for none, which counts for the last row only.
            num_groups: Number of groups ``K``.
            gamma: Discount factor of one step.
            counted: Which samples enter the sums, ``[T, E]`` bool; None for all.

        Returns:
            The sums, float64.
        """
        groups = torch.where(labels < 0, num_groups, labels)
        rewards = rollout.rewards.double()
        shares = torch.ones_like(rewards) if counted is None else counted.double()
        size = num_groups + 1
        counts, reward_sums = rewards.new_zeros(size), rewards.new_zeros(size)
        weights = rewards.new_zeros(size * size)
        ahead, weight, cut = torch.zeros_like(rewards[0]), torch.ones_like(rewards[0]), groups[-1]
        for t in reversed(range(len(rewards))):
            ends = rollout.terminated[t] | rollout.time_outs[t]
            ahead = rewards[t] + gamma * ahead.masked_fill(ends, 0.0)
            weight = gamma * weight.masked_fill(ends, 1.0).masked_fill(rollout.terminated[t], 0.0)
            cut = torch.where(ends, groups[t], cut)
            counts.index_add_(0, groups[t], shares[t])
            reward_sums.index_add_(0, groups[t], shares[t] * ahead)
            weights.index_add_(0, groups[t] * size + cut, shares[t] * weight)
        counts, reward_sums, weights = map(distributed.all_sum, (counts, reward_sums, weights.view(size, size)))
        # The samples in the last row so far are without a group; to make it that of all samples, add the groups.
        counts[-1], reward_sums[-1], weights[-1] = counts.sum(), reward_sums.sum(), weights.sum(dim=0)
        return GroupSums(counts, reward_sums, weights)


def consistent_means(sums: GroupSums, earlier: Tensor | None = None) -> Tensor:
    """Find the group means of returns that are continued, where the rollout was cut, by these very means.

    They solve ``(diag(n) - W) b = r`` with the counts, weights and rewards of the sums (the fixed point of temporal
    differences with lambda 1 on group indicators). With gamma below 1 the rows are diagonally dominant, so there is
    exactly one solution.

    Args:
        sums: Sums of a rollout.
        earlier: Values of the groups before this rollout, ``[K]`` float64, NaN for new groups; None for all new.

    Returns:
        Means, ``[K+1]`` float64; an empty group keeps its earlier value, or takes the mean of all if it is new.
    """
    empty = sums.counts == 0
    matrix = torch.diag(sums.counts + empty) - sums.weights
    known = torch.zeros_like(empty)
    rewards = sums.rewards
    if earlier is not None:
        known[:-1] = empty[:-1] & earlier.isfinite()
        rewards = rewards.clone()
        rewards[:-1] = torch.where(known[:-1], earlier, rewards[:-1])
    matrix[:, -1] -= (empty & ~known).double()
    return torch.linalg.solve(matrix, rewards)
