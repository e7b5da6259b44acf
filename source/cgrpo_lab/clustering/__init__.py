# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Clustering of policies (eq 5) and of states (eq 7), on the device of the points."""

from cgrpo_lab.clustering.agreement import adjusted_rand_index
from cgrpo_lab.clustering.base import Clusterer, ResizableBuffers
from cgrpo_lab.clustering.dbscan import DBSCAN
from cgrpo_lab.clustering.kmeans import KMeans
from cgrpo_lab.clustering.refitting import Refitting

CLUSTERERS: dict[str, type[Clusterer]] = {"dbscan": DBSCAN, "kmeans": KMeans}
"""Methods by the name that configurations use."""

__all__ = ["CLUSTERERS", "DBSCAN", "Clusterer", "KMeans", "Refitting", "ResizableBuffers", "adjusted_rand_index"]
