# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""How well two clusterings of the same points agree."""

from __future__ import annotations

import torch
from torch import Tensor


def adjusted_rand_index(labels: Tensor, others: Tensor) -> Tensor:
    """Agreement of two clusterings beyond chance (Hubert and Arabie 1985); which numbers clusters have is no matter.

    Args:
        labels: Clusters, ``[P]`` int64; -1, noise, is one of them.
        others: Clusters of the same points, ``[P]`` int64.

    Returns:
        0-dim float64: 1 for equal clusterings, 0 on average for unrelated ones.
    """
    rows, columns = labels - labels.min(), others - others.min()
    width = columns.max() + 1
    table = torch.bincount(rows * width + columns, minlength=int((rows.max() + 1) * width)).view(-1, width).double()

    def pairs(counts: Tensor) -> Tensor:
        return (counts * (counts - 1) / 2).sum()

    together, row_pairs, column_pairs = pairs(table), pairs(table.sum(dim=1)), pairs(table.sum(dim=0))
    by_chance = row_pairs * column_pairs / pairs(table.sum()).clamp_min(1)
    most = (row_pairs + column_pairs) / 2
    # Where both put everything in one cluster, or every point in its own, there is nothing to be right about by chance.
    return torch.where(most > by_chance, (together - by_chance) / (most - by_chance), torch.ones_like(most))
