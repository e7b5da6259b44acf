# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""k-means: groups of policies (eq 5), or of states where DBSCAN finds one connected cloud."""

from __future__ import annotations

import torch
from torch import Tensor

from cgrpo_lab.clustering.backends import kmeans, resolve_backend
from cgrpo_lab.clustering.base import Clusterer, Frame
from cgrpo_lab.clustering.distances import nearest
from cgrpo_lab.clustering.memory import Batches
from cgrpo_lab.validation import ConfigError, require_number

_SAMPLES_AT_ONCE = 32768
"""Samples whose distances to the centroids cuML computes at once, its own default."""


class KMeans(Clusterer):
    """k-means on standardised points (eq 5).

    Equal points, options and generator state give equal clusters. Where fewer than ``K`` points differ, some clusters
    stay empty.
    """

    centroids: Tensor
    """Centroids in the units of the points, ``[K, d]``."""

    def __init__(
        self,
        num_clusters: int = 8,
        *,
        generator: torch.Generator | None = None,
        seed: int = 0,
        warm_start: bool = False,
        num_restarts: int = 4,
        max_fit_points: int = 65536,
        num_dims: int | None = None,
        backend: str = "auto",
    ):
        """Set up k-means.

        Args:
            num_clusters: Number of clusters ``K``.
            generator: Source of the initial centroids.
            seed: Seed of the same, where no generator is given.
            warm_start: Whether a further fit starts from the centroids of the one before, so that labels keep their
                meaning.
            num_restarts: How often a fit without warm start draws initial centroids; the best result is kept.
            max_fit_points: Most points that a fit looks at; of more, a random sample is taken.
            num_dims: Number of directions, those of largest variance, to look at; None for all.
            backend: ``auto``, ``sklearn`` or ``cuml``.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        super().__init__(
            generator=generator, seed=seed, max_fit_points=max_fit_points, num_dims=num_dims, backend=backend
        )
        require_number("num_clusters", num_clusters, at_least=1, integer=True)
        require_number("num_restarts", num_restarts, at_least=1, integer=True)
        self._num_clusters = num_clusters
        self.warm_start = warm_start
        self.num_restarts = num_restarts
        self._samples = Batches(_SAMPLES_AT_ONCE)
        self.register_buffer("centroids", torch.empty(0))

    @property
    def num_clusters(self) -> int:
        """Number of clusters ``K``."""
        return self._num_clusters

    @property
    def halvings(self) -> int:
        """How often memory ran out and a batch was halved."""
        return super().halvings + self._samples.halvings

    def _fit(self, points: Tensor, frame: Frame) -> None:
        if self._num_clusters > len(points):
            raise ConfigError(
                f"num_clusters = {self._num_clusters} cannot be used for {len(points)} points:"
                " there cannot be more clusters than points, give fewer"
            )
        seed = torch.randint(2**31 - 1, (), generator=self.generator, device=self.generator.device).item()
        starts_warm = self.warm_start and self.is_fitted
        centroids = self._samples.run(
            lambda samples: kmeans(
                points,
                num_clusters=self._num_clusters,
                seed=seed,
                initial=frame.enter(self.centroids) if starts_warm else None,
                num_restarts=self.num_restarts,
                backend=resolve_backend(self.backend, points.device),
                max_samples_per_batch=samples,
            )
        )
        self.centroids = frame.leave(centroids)

    def _predict(self, points: Tensor, batches: Batches) -> Tensor:
        return nearest(points, self.frame.enter(self.centroids), batches)[1]
