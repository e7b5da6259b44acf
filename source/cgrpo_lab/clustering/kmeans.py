# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""k-means: groups of policies (eq 5), or of states where DBSCAN finds one connected cloud."""

from __future__ import annotations

import torch
from torch import Tensor

from cgrpo_lab.clustering.backends import kmeans, resolve_backend
from cgrpo_lab.clustering.base import Clusterer, nearest
from cgrpo_lab.validation import require_number


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
            backend: ``auto``, ``sklearn`` or ``cuml``.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        super().__init__(generator=generator, seed=seed, max_fit_points=max_fit_points, backend=backend)
        require_number("num_clusters", num_clusters, at_least=1, integer=True)
        require_number("num_restarts", num_restarts, at_least=1, integer=True)
        self._num_clusters = num_clusters
        self.warm_start = warm_start
        self.num_restarts = num_restarts
        self.register_buffer("centroids", torch.empty(0))

    @property
    def num_clusters(self) -> int:
        """Number of clusters ``K``."""
        return self._num_clusters

    def _fit(self, points: Tensor, center: Tensor, scale: Tensor) -> None:
        if self._num_clusters > len(points):
            raise ValueError(
                f"num_clusters = {self._num_clusters} cannot be used for {len(points)} points:"
                " there cannot be more clusters than points, give fewer"
            )
        seed = torch.randint(2**31 - 1, (), generator=self.generator, device=self.generator.device).item()
        starts_warm = self.warm_start and self.is_fitted
        centroids = kmeans(
            points,
            num_clusters=self._num_clusters,
            seed=seed,
            initial=(self.centroids - center) / scale if starts_warm else None,
            num_restarts=self.num_restarts,
            backend=resolve_backend(self.backend, points.device),
        )
        self.centroids = centroids * scale + center

    def _predict(self, points: Tensor) -> Tensor:
        return nearest(points, (self.centroids - self.center) / self.scale)[1]
