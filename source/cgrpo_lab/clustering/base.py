# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What k-means and DBSCAN have in common: checks, sampling, standardisation, projection and checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cgrpo_lab import distributed
from cgrpo_lab.clustering.backends import BACKENDS
from cgrpo_lab.clustering.distances import batches_of_distances
from cgrpo_lab.clustering.memory import Batches
from cgrpo_lab.validation import require_choice, require_number


class ResizableBuffers(nn.Module):
    """A module whose own buffers take the size of what a checkpoint holds, because only the data decides it."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name, buffer in list(self.named_buffers(recurse=False)):
            if prefix + name in state_dict:
                setattr(self, name, buffer.new_empty(state_dict[prefix + name].shape))
        super()._load_from_state_dict(state_dict, prefix, *args)


class Frame(NamedTuple):
    """Coordinates in which distances are measured."""

    center: Tensor
    """Mean of the points of the fit, ``[d]``."""
    scale: Tensor
    """Standard deviation of the points of the fit, ``[d]``; 1 where it vanishes."""
    axes: Tensor
    """Directions looked at, orthonormal columns ``[d, p]``; empty where all are."""

    @staticmethod
    def of(points: Tensor, num_dims: int | None) -> Frame:
        """Standardise points, and find their directions of largest variance where only some are wanted.

        Args:
            points: Points, ``[P, d]``.
            num_dims: Number of directions ``p`` to look at; None for all.

        Returns:
            The frame.
        """
        center = points.mean(dim=0)
        scale = points.std(dim=0, correction=0)
        # What rounding leaves of a constant dimension must not be blown up to unit variance.
        scale = torch.where(scale > 1e-6 * (1 + center.abs()), scale, torch.ones_like(scale))
        if num_dims is None or num_dims >= points.shape[1]:
            return Frame(center, scale, points.new_empty(0))
        standardised = ((points - center) / scale).double()
        return Frame(center, scale, torch.linalg.eigh(standardised.T @ standardised)[1][:, -num_dims:].to(points))

    def enter(self, points: Tensor) -> Tensor:
        """Bring points ``[P, d]`` into the frame, ``[P, p]``."""
        standardised = (points - self.center) / self.scale
        return standardised @ self.axes if self.axes.numel() else standardised

    def leave(self, points: Tensor) -> Tensor:
        """Bring points of the frame ``[P, p]`` back, ``[P, d]``; directions not looked at are those of the center."""
        standardised = points @ self.axes.T if self.axes.numel() else points
        return standardised * self.scale + self.center


class Clusterer(ResizableBuffers, ABC):
    """Groups points; remembers, in buffers, how to label further points.

    Distances are those of standardised points: every dimension is shifted and scaled by the mean and the standard
    deviation of the points of the fit. A dimension that does not vary there is shifted only. On request they are
    projected to their directions of largest variance after that.
    """

    center: Tensor
    """See :class:`Frame`, ``[d]``."""
    scale: Tensor
    """See :class:`Frame`, ``[d]``."""
    axes: Tensor
    """See :class:`Frame`, ``[d, p]``."""

    def __init__(
        self,
        *,
        generator: torch.Generator | None,
        seed: int,
        max_fit_points: int,
        num_dims: int | None,
        backend: str,
    ):
        """Keep what both methods need.

        Args:
            generator: Source of all randomness; owned, and saved, by the caller. None makes one from the seed.
            seed: Seed of the randomness where no generator is given.
            max_fit_points: Most points that a fit looks at; of more, a random sample is taken.
            num_dims: Number of directions, those of largest variance, to look at; None for all.
            backend: ``auto``, ``sklearn`` or ``cuml``; see :mod:`cgrpo_lab.clustering.backends`.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        super().__init__()
        require_number("seed", seed, at_least=0, integer=True)
        require_number("max_fit_points", max_fit_points, at_least=1, integer=True)
        if num_dims is not None:
            require_number("num_dims", num_dims, at_least=1, integer=True)
        require_choice("backend", backend, BACKENDS)
        self.generator = generator or torch.Generator().manual_seed(seed)
        self.max_fit_points = max_fit_points
        self.num_dims = num_dims
        self.backend = backend
        self._distance_batches: Batches | None = None
        for name in ("center", "scale", "axes"):
            self.register_buffer(name, torch.empty(0))

    @property
    def is_fitted(self) -> bool:
        """Whether there has been a fit."""
        return self.center.numel() > 0

    @property
    @abstractmethod
    def num_clusters(self) -> int:
        """Number of clusters; labels run from 0 to one less."""

    def fit(self, points: Tensor, *, block: int | None = None) -> Clusterer:
        """Find the clusters of points.

        Args:
            points: Points, ``[P, d]``.
            block: See :func:`cgrpo_lab.distributed.locate`; None if these points are all there are.

        Returns:
            This clusterer.

        Raises:
            ValueError: If the points are no matrix or not finite, or fewer than the method needs.
            ConfigError: If they are on CUDA and cuML is missing.
        """
        _require_points(points)
        count = distributed.count(points, block)
        chosen = torch.arange(count, device=points.device)
        if count > self.max_fit_points:
            order = torch.randperm(count, generator=self.generator, device=self.generator.device)
            chosen = order[: self.max_fit_points].to(points.device)
        points = distributed.fetch(points, chosen, block)
        frame = Frame.of(points, self.num_dims)
        self._fit(frame.enter(points), frame)
        self.center, self.scale, self.axes = frame
        self._take_over()
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
        if self._distance_batches is None:
            self._distance_batches = batches_of_distances(points.device)
        return self._predict(self.frame.enter(points), self._distance_batches)

    @property
    def frame(self) -> Frame:
        """Coordinates of the last fit."""
        return Frame(self.center, self.scale, self.axes)

    @property
    def halvings(self) -> int:
        """How often memory ran out and a batch was halved."""
        return self._distance_batches.halvings if self._distance_batches else 0

    def _take_over(self) -> None:
        """Take the clusters of the main process: on CUDA, equal points need not give equal clusters."""
        buffers = dict(self.named_buffers(recurse=False))
        shapes = distributed.gather({name: buffer.shape for name, buffer in buffers.items()})[0]
        for name, buffer in buffers.items():
            fitting = buffer if buffer.shape == shapes[name] else buffer.new_empty(shapes[name])
            distributed.broadcast([fitting])
            setattr(self, name, fitting)

    @abstractmethod
    def _fit(self, points: Tensor, frame: Frame) -> None:
        """Find the clusters of points ``[P, p]`` that are in a frame."""

    @abstractmethod
    def _predict(self, points: Tensor, batches: Batches) -> Tensor:
        """Label points ``[P, p]`` that are in the frame of the last fit."""


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
