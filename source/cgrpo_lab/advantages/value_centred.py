# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Cluster means of what the closed-form value leaves over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from cgrpo_lab import distributed
from cgrpo_lab.advantages.base import AdvantageEstimator, GroupAdvantages, explained_variance
from cgrpo_lab.advantages.group_means import leave_one_out_means
from cgrpo_lab.advantages.least_squares import LeastSquares
from cgrpo_lab.advantages.state_cluster import make_clusterer
from cgrpo_lab.advantages.value_features import Encoder
from cgrpo_lab.validation import require_number, require_options

if TYPE_CHECKING:
    from cgrpo_lab.rollouts import GroupRollout


class ValueCentred(AdvantageEstimator):
    """The advantage of :class:`LeastSquares` minus its mean over the others in the same state cluster.

    A value that is linear in its features errs alike for alike states; the mean advantage there, which should be
    zero, shows the error, and eq 6 takes it away: ``A = A_ls - mean of A_ls over cluster(s_t)``. The mean leaves out
    the sample's own environment and falls back where others are too few (:func:`leave_one_out_means`).
    """

    takes_encoder = True

    def __init__(
        self,
        *,
        num_states: int,
        device: str | torch.device,
        generator: torch.Generator,
        freeze_encoder: Callable[[], Encoder] | None,
        gamma: float = 0.99,
        value_options: dict[str, Any] | None = None,
        clustering: str = "kmeans",
        clustering_options: dict[str, Any] | None = None,
        max_refit_interval: int = 1,
        min_others: int = 8,
    ):
        """Set up value and clustering.

        Args:
            num_states: Size ``S`` of a state.
            device: Device of the rollouts.
            generator: Source of the random features and of the clustering's randomness.
            freeze_encoder: See :class:`LeastSquares`.
            gamma: Discount factor of one step.
            value_options: Further constructor options of :class:`LeastSquares`.
            clustering: ``kmeans`` or ``dbscan``.
            clustering_options: Constructor options of :class:`cgrpo_lab.clustering.KMeans` or ``DBSCAN``.
            max_refit_interval: Most iterations from one fit of the clusters to the next; see :class:`StateCluster`.
            min_others: Fewest samples of other trajectories that make a cluster mean.

        Raises:
            ValueError: If an option is out of its bounds or unknown.
        """
        super().__init__(num_states=num_states, device=device, generator=generator, gamma=gamma)
        require_number("min_others", min_others, at_least=1, integer=True)
        value_options = value_options or {}
        require_options("value_options", LeastSquares, value_options)
        if "gamma" in value_options:
            raise ValueError("value_options cannot hold gamma, which is that of the estimator: leave it out")
        self.min_others = min_others
        self.value = LeastSquares(
            num_states=num_states,
            device=device,
            generator=generator,
            freeze_encoder=freeze_encoder,
            gamma=gamma,
            **value_options,
        )
        self.clusterer = make_clusterer(clustering, clustering_options, max_refit_interval, generator)
        self.to(self.device)

    @torch.no_grad()
    def forward(self, rollout: GroupRollout) -> GroupAdvantages:
        """Judge a rollout by the value from before it and by its own clusters.

        Args:
            rollout: States ``[T+1, E, S]``, rewards, terminations and time-outs ``[T, E]``.

        Returns:
            Advantages, baseline (both ``[T, E]``) and diagnostics.

        Raises:
            ValueError: If there is one environment only, or states are not finite.
        """
        if rollout.rewards.shape[1] * distributed.world_size() < 2:
            raise ValueError("num_envs = 1 leaves no other trajectory to compare with: give at least 2")
        judged = self.value(rollout)
        states = rollout.states[:-1].flatten(0, 1)
        self.clusterer.update(states, rollout.envs_per_policy)
        labels = self.clusterer.predict(states).view(rollout.rewards.shape)
        means, fell_back = leave_one_out_means(judged.advantages, labels, self.clusterer.num_clusters, self.min_others)
        diagnostics = {
            **judged.diagnostics,
            "fallback_share": distributed.all_mean(fell_back.float().mean()),
            "residual_explained": explained_variance(judged.advantages, means),
            **self.clusterer.diagnostics(labels),
        }
        return GroupAdvantages(judged.advantages - means, judged.baseline + means, diagnostics)
