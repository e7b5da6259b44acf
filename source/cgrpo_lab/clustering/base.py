# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What k-means and DBSCAN have in common: checks, sampling, standardisation and checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from cgrpo_lab.clustering.backends import BACKENDS
from cgrpo_lab.validation import require_choice, require_number

_DISTANCES_AT_ONCE = 2**24
"""Distances computed in one piece: 64 MiB of float32."""


class ResizableBuffers(nn.Module):
    """A module whose own buffers take the size of what a checkpoint holds, because only the data decides it."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name, buffer in list(self.named_buffers(recurse=False)):
            if prefix + name in state_dict:
                setattr(self, name, buffer.new_empty(state_dict[prefix + name].shape))
        super()._load_from_state_dict(state_dict, prefix, *args)


class Clusterer(ResizableBuffers, ABC):
    """Groups points; remembers, in buffers, how to label further points.

    Distances are those of standardised points: every dimension is shifted and scaled by the mean and the standard
    deviation of the points of the fit. A dimension that does not vary there is shifted only.
    """

    center: Tensor
    """Mean of the points of the fit, ``[d]``."""
    scale: Tensor
    """Standard deviation of the points of the fit, ``[d]``; 1 where it vanishes."""

    def __init__(self, *, generator: torch.Generator | None, seed: int, max_fit_points: int, backend: str):
        """Keep what both methods need.

        Args:
            generator: Source of all randomness; owned, and saved, by the caller. None makes one from the seed.
            seed: Seed of the randomness where no generator is given.
            max_fit_points: Most points that a fit looks at; of more, a random sample is taken.
            backend: ``auto``, ``sklearn`` or ``cuml``; see :mod:`cgrpo_lab.clustering.backends`.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        super().__init__()
        require_number("seed", seed, at_least=0, integer=True)
        require_number("max_fit_points", max_fit_points, at_least=1, integer=True)
        require_choice("backend", backend, BACKENDS)
        self.generator = generator or torch.Generator().manual_seed(seed)
        self.max_fit_points = max_fit_points
        self.backend = backend
        self.register_buffer("center", torch.empty(0))
        self.register_buffer("scale", torch.empty(0))

    @property
    def is_fitted(self) -> bool:
        """Whether there has been a fit."""
        return self.center.numel() > 0

    @property
    @abstractmethod
    def num_clusters(self) -> int:
        """Number of clusters; labels run from 0 to one less."""

    def fit(self, points: Tensor) -> Clusterer:
        """Find the clusters of points.

        Args:
            points: Points, ``[P, d]``.

        Returns:
            This clusterer.

        Raises:
            ValueError: If the points are no matrix or not finite, or fewer than the method needs.
            ImportError: If they are on CUDA and cuML is missing.
        """
        _require_points(points)
        if len(points) > self.max_fit_points:
            order = torch.randperm(len(points), generator=self.generator, device=self.generator.device)
            points = points[order[: self.max_fit_points].to(points.device)]
        center = points.mean(dim=0)
        scale = points.std(dim=0, correction=0)
        # What rounding leaves of a constant dimension must not be blown up to unit variance.
        scale = torch.where(scale > 1e-6 * (1 + center.abs()), scale, torch.ones_like(scale))
        self._fit((points - center) / scale, center, scale)
        self.center, self.scale = center, scale
        return self

    def predict(self, points: Tensor) -> Tensor:
        """Label points by the clusters of the last fit.

        Args:
            points: Points, ``[P, d]``.

        Returns:
            Labels, ``[P]`` int64; -1 for points that belong to no cluster.

        Raises:
            ValueError: If there was no fit yet, or the points do not match it.
        """
        _require_points(points)
        if points.shape[1] != len(self.center):
            raise ValueError(
                f"points have {points.shape[1]} dimensions but those of the fit had {len(self.center)}:"
                " call fit() with such points first"
            )
        return self._predict((points - self.center) / self.scale)

    @abstractmethod
    def _fit(self, points: Tensor, center: Tensor, scale: Tensor) -> None:
        """Find the clusters of standardised points ``[P, d]``."""

    @abstractmethod
    def _predict(self, points: Tensor) -> Tensor:
        """Label standardised points ``[P, d]``."""


def nearest(points: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Find the nearest reference of each point, in pieces that fit in memory.

    Args:
        points: Points, ``[P, d]``.
        references: References, ``[R, d]``, at least one.

    Returns:
        Distances ``[P]`` and indices ``[P]`` int64.
    """
    chunks = points.split(max(1, _DISTANCES_AT_ONCE // len(references)))
    indices = torch.cat([distances(chunk, references).argmin(dim=1) for chunk in chunks])
    # Taken afresh: the difference of squares above leaves rounding where the distance is nearly zero.
    return (points - references[indices]).norm(dim=1), indices


def distances(points: Tensor, references: Tensor) -> Tensor:
    """Euclidean distances of all pairs.

    Args:
        points: Points, ``[P, d]``.
        references: References, ``[R, d]``.

    Returns:
        Distances, ``[P, R]``.
    """
    # A matrix product is five times as fast on the CPU, but on CUDA it may be rounded to TF32 and is no gain.
    mode = "donot_use_mm_for_euclid_dist" if points.is_cuda else "use_mm_for_euclid_dist_if_necessary"
    return torch.cdist(points, references, compute_mode=mode)


def _require_points(points: Tensor) -> None:
    """Raise unless points are a finite matrix with at least one row."""
    if points.dim() != 2 or points.shape[0] == 0 or points.shape[1] == 0:
        raise ValueError(f"points have shape {tuple(points.shape)}: give [P, d] with P and d at least 1")
    finite = points.isfinite().all(dim=1)
    if not finite.all():
        raise ValueError(
            f"{int((~finite).sum())} of {len(points)} points are NaN or infinite, the first is point"
            f" {int((~finite).nonzero()[0])}: clustering needs finite points"
        )
