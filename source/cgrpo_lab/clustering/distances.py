# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Euclidean distances between many points."""

from __future__ import annotations

import torch
from torch import Tensor

from cgrpo_lab.clustering.memory import Batches


def batches_of_distances(device: torch.device) -> Batches:
    """Number of distances to compute at once: what stays in a core's cache (1 MiB), or 64 MiB on a GPU."""
    return Batches(2**24 if device.type == "cuda" else 2**18)


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


def nearest(points: Tensor, references: Tensor, batches: Batches) -> tuple[Tensor, Tensor]:
    """Find the nearest reference of each point.

    Args:
        points: Points, ``[P, d]``.
        references: References, ``[R, d]``, at least one.
        batches: Number of distances to compute at once.

    Returns:
        Distances ``[P]`` and indices ``[P]`` int64.
    """
    half_squares = references.square().sum(dim=1) / 2

    def work(size: int) -> Tensor:
        rows = max(1, size // len(references))
        indices = torch.empty(len(points), dtype=torch.int64, device=points.device)
        # One buffer for all: pieces allocated one by one leave holes between them that no piece fits into again.
        scores = points.new_empty(0 if points.is_cuda else min(rows, len(points)), len(references))
        for chunk, found in zip(points.split(rows), indices.split(rows), strict=True):
            _nearest(chunk, references, half_squares, scores[: len(chunk)], found)
        return indices

    indices = batches.run(work)
    # Taken afresh: differences of squares leave rounding where the distance is nearly zero.
    return (points - references[indices]).norm(dim=1), indices


def _nearest(points: Tensor, references: Tensor, half_squares: Tensor, scores: Tensor, found: Tensor) -> None:
    """Write the indices of the nearest references to ``found``; the pairs must fit in ``scores``."""
    if points.is_cuda:
        # Not the product below, which may be rounded to TF32.
        found.copy_(distances(points, references).argmin(dim=1))
        return
    # |x - r|^2 / 2 without |x|^2 / 2, which does not matter for the order; min finds indices faster than argmin.
    torch.addmm(half_squares, points, references.T, alpha=-1, out=scores)
    found.copy_(scores.min(dim=1).indices)
