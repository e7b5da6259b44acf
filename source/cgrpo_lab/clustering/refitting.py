# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""A clusterer that is refitted as often as its labels drift."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cgrpo_lab import distributed
from cgrpo_lab.clustering.agreement import adjusted_rand_index
from cgrpo_lab.clustering.base import Clusterer
from cgrpo_lab.validation import require_number

LITTLE_DRIFT = 0.05
"""Labels that change less than this from fit to fit need fits half as often, of half the points."""

MUCH_DRIFT = 0.2
"""Labels that change more than this need fits twice as often, of twice the points."""

_COMPARED = 4096
"""Points whose labels before and after a fit are compared."""


class Refitting(nn.Module):
    """Clusters the states of successive iterations, refitting only as often as necessary.

    Between fits, states get the label of the last one. How much a fit changed is ``1 - ARI`` of the labels that its
    points had before and have after it. Drift has two causes, states that move on and samples too small to tell the
    clusters, so much of it doubles the sample and halves the interval, and little of it does the opposite.
    """

    interval: Tensor
    """Iterations from fit to fit (R), 0-dim int64."""
    age: Tensor
    """Iterations since the last fit, 0-dim int64; 0 in the iteration of a fit."""
    fit_points: Tensor
    """Points that the next fit looks at, 0-dim int64."""
    drift: Tensor
    """Change of the labels by the last fit, 0-dim float32; 0 while not measured."""
    outcomes: Tensor
    """Fits so far: all of them, those that found noise only, and those that found one cluster only, ``[3]`` int64."""

    def __init__(self, clusterer: Clusterer, *, max_interval: int = 1, min_fit_points: int = 1024):
        """Take over a clusterer.

        Args:
            clusterer: What is fitted, at most to its ``max_fit_points``.
            max_interval: Most iterations from fit to fit; with 1 every iteration is fitted and nothing adapts.
            min_fit_points: Fewest points that a fit looks at.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        super().__init__()
        require_number("max_interval", max_interval, at_least=1, integer=True)
        require_number("min_fit_points", min_fit_points, at_least=1, integer=True)
        self.clusterer = clusterer
        self.max_interval = max_interval
        self.most_points = clusterer.max_fit_points
        # DBSCAN finds the number of clusters; k-means needs at least as many points.
        self.min_fit_points = min(max(min_fit_points, clusterer.num_clusters), self.most_points)
        self.register_buffer("interval", torch.tensor(1))
        self.register_buffer("age", torch.tensor(0))
        self.register_buffer("fit_points", torch.tensor(self.most_points))
        self.register_buffer("drift", torch.tensor(0.0))
        self.register_buffer("outcomes", torch.zeros(3, dtype=torch.int64))

    @property
    def num_clusters(self) -> int:
        """Number of clusters of the last fit."""
        return self.clusterer.num_clusters

    def predict(self, points: Tensor) -> Tensor:
        """Label points ``[P, d]`` by the last fit, ``[P]``."""
        return self.clusterer.predict(points)

    def update(self, points: Tensor, block: int | None = None) -> bool:
        """Take in the points of an iteration, by a fit if one is due.

        Args:
            points: Points, ``[P, d]``.
            block: See :func:`cgrpo_lab.distributed.locate`; None if these points are all there are.

        Returns:
            Whether there was a fit, so that labels may mean something else now.
        """
        if self.clusterer.is_fitted and self.age + 1 < self.interval:
            self.age += 1
            return False
        adapts = self.max_interval > 1 and self.clusterer.is_fitted
        if adapts:
            count = distributed.count(points, block)
            every = torch.arange(0, count, -(-count // _COMPARED), device=points.device)
            compared = distributed.fetch(points, every, block)
            before = self.predict(compared)
        self.clusterer.max_fit_points = int(self.fit_points)
        self.clusterer.fit(points, block=block)
        self.age.zero_()
        count = self.num_clusters
        self.outcomes += torch.tensor([1, int(count == 0), int(count == 1)], device=self.outcomes.device)
        if adapts:
            self._adapt(1 - adjusted_rand_index(before, self.predict(compared)).item())
        return True

    def _adapt(self, drift: float) -> None:
        """Choose interval and sample of the next fit by what this one changed."""
        self.drift.fill_(drift)
        if drift < LITTLE_DRIFT:
            self.interval.mul_(2).clamp_(max=self.max_interval)
            self.fit_points.div_(2, rounding_mode="floor").clamp_(min=self.min_fit_points)
        elif drift > MUCH_DRIFT:
            self.interval.div_(2, rounding_mode="floor").clamp_(min=1)
            self.fit_points.mul_(2).clamp_(max=self.most_points)

    def diagnostics(self, labels: Tensor) -> dict[str, Tensor]:
        """Describe how samples, labelled ``[T, E]`` with -1 for noise, spread, and how the fits went."""
        count = self.num_clusters
        members = distributed.all_sum(torch.bincount(labels.flatten() + 1, minlength=count + 1))
        sizes = members.float() / members.sum()
        fits, all_noise, one_cluster = self.outcomes.float()
        return {
            "num_clusters": sizes.new_tensor(count),
            "empty_clusters": (members[1:] == 0).sum().float(),
            "noise_share": sizes[0],
            "largest_cluster_share": sizes[1:].max() if count else sizes.new_zeros(()),
            "fits": fits,
            "all_noise_fits": all_noise,
            "one_cluster_fits": one_cluster,
            "refit_interval": self.interval.float(),
            "fit_points": self.fit_points.float(),
            "label_drift": self.drift.clone(),
            "out_of_memory": sizes.new_tensor(self.clusterer.halvings),
        }
