# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""DBSCAN: groups of states of varying density (eq 7)."""

from __future__ import annotations

import torch
from torch import Tensor

from cgrpo_lab.clustering.backends import DBSCAN_ALGORITHMS, dbscan, resolve_backend
from cgrpo_lab.clustering.base import Clusterer, Frame
from cgrpo_lab.clustering.distances import distances, nearest
from cgrpo_lab.clustering.memory import Batches
from cgrpo_lab.validation import require_choice, require_number

_MAX_QUANTILE_QUERIES = 1024
"""Points whose neighbour distances decide the radius."""


class DBSCAN(Clusterer):
    """DBSCAN (Ester et al. 1996; eq 7) on standardised points, for more points than it could compare pairwise.

    The clusters are found on a random sample of at most ``max_fit_points``. Every point is then labelled by its
    nearest core point if that is within ``reach * eps``, else it is noise. With ``reach`` 1 and all points in the
    sample this is DBSCAN itself; a larger reach takes in noise near a cluster.

    Unless ``eps`` is given it follows the data: it is the ``eps_quantile`` quantile, over the points, of the distance
    to the ``min_samples``-th nearest point (itself included), so that about this share of them are core points. A fixed
    radius would not do, since distances shrink as the sample grows and as a policy settles.

    There may be no cluster at all: then every label is -1.
    """

    core_points: Tensor
    """Core points, standardised, ``[C, d]``."""
    core_labels: Tensor
    """Their clusters, ``[C]`` int64."""
    radius: Tensor
    """The ``eps`` of the last fit, 0-dim, in standard deviations."""

    def __init__(
        self,
        *,
        generator: torch.Generator | None = None,
        seed: int = 0,
        eps: float | None = None,
        eps_quantile: float = 0.5,
        min_samples: int = 10,
        reach: float = 1.0,
        max_fit_points: int = 4096,
        num_dims: int | None = None,
        algorithm: str = "brute",
        max_mbytes_per_batch: int = 1024,
        backend: str = "auto",
    ):
        """Set up DBSCAN.

        Args:
            generator: Source of the sample.
            seed: Seed of the same, where no generator is given.
            eps: Radius of a neighbourhood, in standard deviations; None takes it from the data.
            eps_quantile: Share of the points that are to be core points; used where ``eps`` is None.
            min_samples: Points (minPts), itself included, that make a point a core point.
            reach: Largest distance to the nearest core point, in radii, at which a point still belongs to its cluster.
            max_fit_points: Most points that a fit looks at; of more, a random sample is taken.
            num_dims: Number of directions, those of largest variance, to look at; None for all.
            algorithm: How neighbours are found: ``brute``, or ``rbc`` (random ball cover, cuML only), which helps where
                the points of a fit are many and their directions few.
            max_mbytes_per_batch: GPU memory for one batch of distances [MB]; only cuML uses it. Halved when memory
                runs out.
            backend: ``auto``, ``sklearn`` or ``cuml``.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        super().__init__(
            generator=generator, seed=seed, max_fit_points=max_fit_points, num_dims=num_dims, backend=backend
        )
        if eps is not None:
            require_number("eps", eps, above=0.0)
        require_number("eps_quantile", eps_quantile, above=0.0, at_most=1.0)
        require_number("min_samples", min_samples, at_least=1, integer=True)
        require_number("reach", reach, at_least=1.0)
        require_number("max_mbytes_per_batch", max_mbytes_per_batch, at_least=1, integer=True)
        self.eps = eps
        self.eps_quantile = eps_quantile
        self.min_samples = min_samples
        self.reach = reach
        require_choice("algorithm", algorithm, DBSCAN_ALGORITHMS)
        self.algorithm = algorithm
        self._mbytes = Batches(max_mbytes_per_batch)
        self.register_buffer("core_points", torch.empty(0))
        self.register_buffer("core_labels", torch.empty(0, dtype=torch.int64))
        self.register_buffer("radius", torch.zeros(()))

    @property
    def num_clusters(self) -> int:
        """Number of clusters of the last fit."""
        return int(self.core_labels.max()) + 1 if self.core_labels.numel() else 0

    @property
    def halvings(self) -> int:
        """How often memory ran out and a batch was halved."""
        return super().halvings + self._mbytes.halvings

    def _fit(self, points: Tensor, frame: Frame) -> None:
        radius = self.eps if self.eps is not None else self._radius_of(points)
        labels, cores = self._mbytes.run(
            lambda mbytes: dbscan(
                points,
                eps=radius,
                min_samples=self.min_samples,
                algorithm=self.algorithm,
                backend=resolve_backend(self.backend, points.device),
                max_mbytes_per_batch=mbytes,
            )
        )
        self.core_points = points[cores]
        self.core_labels = labels[cores]
        self.radius = points.new_tensor(radius)

    def _predict(self, points: Tensor, batches: Batches) -> Tensor:
        if not len(self.core_points):
            return torch.full((len(points),), -1, dtype=torch.int64, device=points.device)
        distance, core = nearest(points, self.core_points, batches)
        # The rounding allowed for keeps a border point of the fit, at exactly eps, inside.
        return torch.where(distance <= self.reach * self.radius * (1 + 1e-6), self.core_labels[core], -1)

    def _radius_of(self, points: Tensor) -> float:
        """Choose the radius from the distances to the ``min_samples``-th nearest points."""
        queries = points[:: -(-len(points) // _MAX_QUANTILE_QUERIES)]
        rank = min(self.min_samples, len(points))
        kth = distances(queries, points).topk(rank, dim=1, largest=False).values[:, -1]
        # Where most points coincide the distance is zero, which is no radius.
        return max(kth.quantile(self.eps_quantile).item(), 1e-6)
