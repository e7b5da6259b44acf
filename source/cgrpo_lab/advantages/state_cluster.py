# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The paper's state-aware advantages: return-to-go against the mean of the state's cluster."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cgrpo_lab.advantages.group_means import GroupMeans
from cgrpo_lab.clustering import CLUSTERERS, Refitting
from cgrpo_lab.validation import require_choice, require_number, require_options

if TYPE_CHECKING:
    from cgrpo_lab.rollouts import GroupRollout

logger = logging.getLogger(__name__)

DEFAULT_OPTIONS: dict[str, dict[str, Any]] = {
    "dbscan": {"reach": 2.0},
    "kmeans": {"num_clusters": 64, "warm_start": True},
}
"""Options of the clusterings where states want something other than the constructor's default."""


def make_clusterer(
    clustering: str, options: dict[str, Any] | None, max_refit_interval: int, generator: torch.Generator
) -> Refitting:
    """Make a clusterer of states.

    Args:
        clustering: ``dbscan`` or ``kmeans``.
        options: Constructor options; those left out are taken from :data:`DEFAULT_OPTIONS`.
        max_refit_interval: Most iterations from fit to fit.
        generator: Source of its randomness.

    Returns:
        The clusterer.

    Raises:
        ValueError: If the name or an option is unknown, or an option is out of its bounds.
    """
    require_choice("clustering", clustering, list(CLUSTERERS))
    options = {**DEFAULT_OPTIONS[clustering], **(options or {})}
    require_options(f"clustering {clustering!r}", CLUSTERERS[clustering], options)
    require_number("max_refit_interval", max_refit_interval, at_least=1, integer=True)
    return Refitting(CLUSTERERS[clustering](generator=generator, **options), max_interval=max_refit_interval)


class StateCluster(GroupMeans):
    """Return-to-go minus the mean return-to-go of the others in the same state cluster (eqs 6 and 7).

    ``A(s_t, a_t) = G(s_t) - mean of G over the samples of cluster(s_t)``, where the mean leaves out the sample's own
    trajectory, falls back where others are too few, and where cut returns are continued as :class:`GroupMeans` says.
    """

    def __init__(
        self,
        *,
        num_states: int,
        device: str | torch.device,
        generator: torch.Generator,
        gamma: float = 0.99,
        clustering: str = "dbscan",
        clustering_options: dict[str, Any] | None = None,
        max_refit_interval: int = 1,
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
            max_refit_interval: Most iterations from one fit of the clusters to the next; how many it is adapts to
                how much the labels drift. 1 fits every iteration.
            min_others: Fewest samples of other trajectories that make a cluster mean.

        Raises:
            ValueError: If an option is out of its bounds or unknown.
        """
        super().__init__(num_states=num_states, device=device, generator=generator, gamma=gamma, min_others=min_others)
        self.clusterer = make_clusterer(clustering, clustering_options, max_refit_interval, generator)
        self.to(self.device)
        self._warned = False

    @property
    def num_groups(self) -> int:
        """Number of clusters of the last fit."""
        return self.clusterer.num_clusters

    def _label(self, states: Tensor, steps: Tensor) -> Tensor:
        return self.clusterer.predict(states)

    def _regroup(self, rollout: GroupRollout, steps: Tensor) -> tuple[Tensor, Tensor]:
        refitted = self.clusterer.update(rollout.states[:-1].flatten(0, 1), rollout.envs_per_policy)
        labels = self.clusterer.predict(rollout.states.flatten(0, 1)).view(steps.shape)
        if not self.num_groups and not self._warned:
            self._warned = True
            logger.warning(
                "DBSCAN found no cluster among the states: samples are compared with the same step of the other"
                " environments instead. Raise eps or eps_quantile, or lower min_samples"
            )
        if refitted:
            return labels, torch.full((self.num_groups,), torch.nan, dtype=torch.float64, device=labels.device)
        return labels, self.group_values[:-1].double()

    def _counts(self, rollout: GroupRollout, labels: Tensor) -> Tensor:
        return torch.ones_like(labels, dtype=torch.bool)

    def _diagnostics(self, labels: Tensor) -> dict[str, Tensor]:
        return self.clusterer.diagnostics(labels)
