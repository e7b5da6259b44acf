# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The paper's state-aware advantages: return-to-go against the mean of the state's cluster."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from cgrpo_lab.advantages.base import AdvantageEstimator, GroupAdvantages, explained_variance
from cgrpo_lab.advantages.returns import return_to_go
from cgrpo_lab.clustering import CLUSTERERS, ResizableBuffers
from cgrpo_lab.validation import require_choice, require_number, require_options

if TYPE_CHECKING:
    from cgrpo_lab.rollouts import GroupRollout

logger = logging.getLogger(__name__)

DEFAULT_OPTIONS: dict[str, dict[str, Any]] = {"dbscan": {"reach": 2.0}, "kmeans": {"num_clusters": 64}}
"""Options of the clusterings where states want something other than the constructor's default."""


class StateCluster(ResizableBuffers, AdvantageEstimator):
    """Return-to-go minus the mean return-to-go of the others in the same state cluster (eqs 6 and 7).

    ``A(s_t, a_t) = G(s_t) - mean of G over the samples of cluster(s_t)``, with these readings of the paper:

    - The mean leaves out the sample's own trajectory (all steps of its environment): with it, an action would influence
      its own baseline, and a long stay in one cluster would be compared with itself.
    - Where fewer than ``min_others`` samples of others remain in the cluster, and for noise, the mean of the others at
      the same step of the rollout takes its place, and where that has too few, the mean of all others.
    - A rollout cut short (its end, and time-outs) is continued by the value of the state's cluster: the cluster means
      that agree with themselves when used so (:func:`consistent_means`), found on the iteration *before*, which keeps a
      trajectory out of its own baseline here too. The very first iteration has nothing before it and uses its own.
    """

    cluster_values: Tensor
    """Values of the clusters of the last iteration and, last, of all states together, ``[K+1]``; empty before it."""

    def __init__(
        self,
        *,
        num_states: int,
        device: str | torch.device,
        generator: torch.Generator,
        gamma: float = 0.99,
        clustering: str = "dbscan",
        clustering_options: dict[str, Any] | None = None,
        min_others: int = 8,
    ):
        """Set up the clustering.

        Args:
            num_states: Size ``S`` of a state.
            device: Device of the rollouts.
            generator: Source of the clustering's randomness.
            gamma: Discount factor of one step.
            clustering: ``dbscan`` (the paper's) or ``kmeans``.
            clustering_options: Constructor options of :class:`cgrpo_lab.clustering.DBSCAN` or ``KMeans``; by default
                those of :data:`DEFAULT_OPTIONS`.
            min_others: Fewest samples of other trajectories that make a cluster mean.

        Raises:
            ValueError: If an option is out of its bounds or unknown.
        """
        super().__init__(num_states=num_states, device=device, generator=generator, gamma=gamma)
        require_choice("clustering", clustering, list(CLUSTERERS))
        require_number("min_others", min_others, at_least=1, integer=True)
        self.min_others = min_others
        options = {**DEFAULT_OPTIONS[clustering], **(clustering_options or {})}
        require_options(f"clustering {clustering!r}", CLUSTERERS[clustering], options)
        self.clusterer = CLUSTERERS[clustering](generator=generator, **options)
        self.register_buffer("cluster_values", torch.empty(0))
        self.to(self.device)
        self._warned = False

    @torch.no_grad()
    def forward(self, rollout: GroupRollout) -> GroupAdvantages:
        """Cluster the states of a rollout and compare the returns within the clusters.

        Args:
            rollout: States ``[T+1, E, S]``, rewards, terminations and time-outs ``[T, E]``.

        Returns:
            Advantages, baseline (both ``[T, E]``) and diagnostics.

        Raises:
            ValueError: If there is one environment only, or states are not finite.
        """
        if rollout.rewards.shape[1] < 2:
            raise ValueError("num_envs = 1 leaves state_cluster no other trajectory to compare with: give at least 2")
        is_first = not self.cluster_values.numel()
        if is_first:
            labels = self._fit(rollout)
        returns = self._returns(rollout)
        if not is_first:
            labels = self._fit(rollout)
        baseline, fell_back = leave_one_out_means(returns, labels, self.clusterer.num_clusters, self.min_others)
        diagnostics = {
            "explained_variance": explained_variance(returns, baseline),
            "fallback_share": fell_back.float().mean(),
            **self._cluster_diagnostics(labels),
        }
        return GroupAdvantages(returns - baseline, baseline, diagnostics)

    def _returns(self, rollout: GroupRollout) -> Tensor:
        """Returns-to-go ``[T, E]``, continued by the values of the last clustering."""
        time_out_values = torch.zeros_like(rollout.rewards)
        if rollout.time_outs.any():
            time_out_values[rollout.time_outs] = self._value(rollout.states[:-1][rollout.time_outs])
        return return_to_go(
            rollout.rewards,
            rollout.terminated,
            rollout.time_outs,
            gamma=self.gamma,
            tail_values=self._value(rollout.states[-1]),
            time_out_values=time_out_values,
        )

    def _value(self, states: Tensor) -> Tensor:
        """Values ``[P]`` of states ``[P, S]``; noise takes the last entry, the value of all states together."""
        return self.cluster_values[self.clusterer.predict(states)]

    def _fit(self, rollout: GroupRollout) -> Tensor:
        """Cluster the states acted upon and value the clusters; returns the labels ``[T, E]``."""
        shape = rollout.rewards.shape
        self.clusterer.fit(rollout.states[:-1].flatten(0, 1))
        all_labels = self.clusterer.predict(rollout.states.flatten(0, 1)).view(shape[0] + 1, shape[1])
        num_clusters = self.clusterer.num_clusters
        if not num_clusters and not self._warned:
            self._warned = True
            logger.warning(
                "DBSCAN found no cluster among the states: samples are compared with the same step of the other"
                " environments instead. Raise eps or eps_quantile, or lower min_samples"
            )
        sums = ClusterSums.of(rollout, all_labels, num_clusters, self.gamma)
        self.cluster_values = consistent_means(sums).to(rollout.rewards.dtype)
        return all_labels[:-1]

    def _cluster_diagnostics(self, labels: Tensor) -> dict[str, Tensor]:
        """How the states ``[T, E]`` spread over the clusters."""
        num_clusters = self.clusterer.num_clusters
        sizes = torch.bincount(labels.flatten() + 1, minlength=num_clusters + 1).float() / labels.numel()
        largest = sizes[1:].max() if num_clusters else sizes.new_zeros(())
        return {
            "num_clusters": sizes.new_tensor(num_clusters),
            "noise_share": sizes[0],
            "largest_cluster_share": largest,
        }


def leave_one_out_means(returns: Tensor, labels: Tensor, num_clusters: int, min_others: int) -> tuple[Tensor, Tensor]:
    """Average the returns of the *other* environments: in the cluster, else at the same step, else over everything.

    Args:
        returns: Returns-to-go, ``[T, E]``, of at least two environments.
        labels: Clusters, ``[T, E]`` int64; -1 for noise.
        num_clusters: Number of clusters ``K``.
        min_others: Fewest samples of others for the first two kinds of mean.

    Returns:
        Means ``[T, E]`` and whether each is not that of its cluster, ``[T, E]`` bool.
    """
    num_steps, num_envs = returns.shape
    # float64: a sum over everything minus the own part cancels where one trajectory fills a cluster.
    doubles = returns.double()
    clusters = torch.where(labels < 0, num_clusters, labels)
    keys = (clusters * num_envs + torch.arange(num_envs, device=labels.device)).flatten()
    own_sums = doubles.new_zeros((num_clusters + 1) * num_envs).index_add_(0, keys, doubles.flatten())
    own_counts = torch.bincount(keys, minlength=len(own_sums))

    def others(own: Tensor) -> Tensor:
        """Totals per cluster minus the part of each environment, picked for each sample: ``[T, E]``."""
        table = own.view(num_clusters + 1, num_envs)
        return (table.sum(dim=1, keepdim=True) - table).flatten()[keys].view(num_steps, num_envs)

    counts = others(own_counts)
    in_cluster = (labels >= 0) & (counts >= min_others)
    cluster_means = others(own_sums) / counts.clamp_min(1)
    fallback = (doubles.sum() - doubles.sum(dim=0)) / (num_steps * (num_envs - 1))
    if num_envs - 1 >= min_others:
        fallback = (doubles.sum(dim=1, keepdim=True) - doubles) / (num_envs - 1)
    return torch.where(in_cluster, cluster_means, fallback).to(returns.dtype), ~in_cluster


class ClusterSums(NamedTuple):
    """Sums over the samples of a rollout by cluster; the last of the ``K+1`` rows is over all samples.

    A sample's return-to-go is ``reward + weight * value of the cluster in which the rollout was cut``.
    """

    counts: Tensor
    """Number of samples, ``[K+1]``."""
    rewards: Tensor
    """Discounted rewards up to the cut, ``[K+1]``."""
    weights: Tensor
    """Discounts of the value at the cut, by cluster of the sample and cluster of the cut, ``[K+1, K+1]``."""

    @staticmethod
    def of(rollout: GroupRollout, labels: Tensor, num_clusters: int, gamma: float) -> ClusterSums:
        """Sum up a rollout.

        Args:
            rollout: Rewards, terminations and time-outs ``[T, E]``.
            labels: Clusters of all states, ``[T+1, E]`` int64; -1 for noise, which counts for the last row only.
            num_clusters: Number of clusters ``K``.
            gamma: Discount factor of one step.

        Returns:
            The sums, float64.
        """
        clusters = torch.where(labels < 0, num_clusters, labels)
        rewards = rollout.rewards.double()
        size = num_clusters + 1
        counts, reward_sums = rewards.new_zeros(size), rewards.new_zeros(size)
        weights = rewards.new_zeros(size * size)
        ahead, weight, cut = torch.zeros_like(rewards[0]), torch.ones_like(rewards[0]), clusters[-1]
        for t in reversed(range(len(rewards))):
            ends = rollout.terminated[t] | rollout.time_outs[t]
            ahead = rewards[t] + gamma * ahead.masked_fill(ends, 0.0)
            weight = gamma * weight.masked_fill(ends, 1.0).masked_fill(rollout.terminated[t], 0.0)
            cut = torch.where(ends, clusters[t], cut)
            counts.index_add_(0, clusters[t], torch.ones_like(ahead))
            reward_sums.index_add_(0, clusters[t], ahead)
            weights.index_add_(0, clusters[t] * size + cut, weight)
        weights = weights.view(size, size)
        # The samples in the last row so far are noise; to make it that of all samples, add the clusters.
        counts[-1], reward_sums[-1], weights[-1] = counts.sum(), reward_sums.sum(), weights.sum(dim=0)
        return ClusterSums(counts, reward_sums, weights)


def consistent_means(sums: ClusterSums) -> Tensor:
    """Find the cluster means of returns that are continued, where the rollout was cut, by these very means.

    They solve ``(diag(n) - W) b = r`` with the counts, weights and rewards of the sums (the fixed point of temporal
    differences with lambda 1 on cluster indicators). With gamma below 1 the rows are diagonally dominant, so there is
    exactly one solution.

    Args:
        sums: Sums of a rollout.

    Returns:
        Means, ``[K+1]`` float64; an empty cluster takes the mean of all.
    """
    empty = sums.counts == 0
    matrix = torch.diag(sums.counts + empty) - sums.weights
    matrix[:, -1] -= empty.double()
    return torch.linalg.solve(matrix, sums.rewards)
