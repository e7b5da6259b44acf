# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Where the clustering is computed: scikit-learn on the CPU, cuML on CUDA.

Points and results stay torch tensors. On the CPU scikit-learn reads the tensor's own memory; on CUDA cuML does, through
``__cuda_array_interface__``, and its results come back the same way: nothing is copied between host and device.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from cgrpo_lab.validation import ConfigError

BACKENDS = ["auto", "sklearn", "cuml"]
"""Names of the backends; ``auto`` takes cuML for points on CUDA and scikit-learn for points on the CPU."""

DBSCAN_ALGORITHMS = ["brute", "rbc"]
"""How DBSCAN finds neighbours: all pairs, or cuML's random ball cover."""


def resolve_backend(backend: str, device: torch.device) -> str:
    """Choose the backend for points on a device.

    Args:
        backend: One of :data:`BACKENDS`. ``sklearn`` takes points on CUDA too and copies them to the host.
        device: Device of the points.

    Returns:
        ``sklearn`` or ``cuml``.

    Raises:
        ConfigError: If cuML is asked for while the points are not on CUDA.
    """
    if backend == "auto":
        return "cuml" if device.type == "cuda" else "sklearn"
    if backend == "cuml" and device.type != "cuda":
        raise ConfigError(
            f"backend = 'cuml' cannot be used for points on {device}: it needs CUDA. Take 'auto' or 'sklearn'"
        )
    return backend


def import_cuml_cluster() -> Any:
    """Import ``cuml.cluster``, late because it takes seconds and is there only with the GPU extra.

    Returns:
        The module.

    Raises:
        ConfigError: If cuML is not installed, with what to do about it.
    """
    try:
        return importlib.import_module("cuml.cluster")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"clustering on CUDA needs cuML, and {error.name!r} is not installed: install it (./isaaclab.sh -i gpu)"
            ", learn on the CPU (--device cpu), or, for clusters of states, set their option backend='sklearn'"
        ) from error


def dbscan(
    points: Tensor, *, eps: float, min_samples: int, algorithm: str, backend: str, max_mbytes_per_batch: int
) -> tuple[Tensor, Tensor]:
    """Cluster points by density.

    All pairs are compared unless ``rbc`` is asked for: states have too many dimensions for a tree to be faster.

    Args:
        points: Points, ``[P, d]``.
        eps: Radius of a neighbourhood.
        min_samples: Points, itself included, that make a point a core point.
        algorithm: One of :data:`DBSCAN_ALGORITHMS`.
        backend: ``sklearn`` or ``cuml``.
        max_mbytes_per_batch: GPU memory for one batch of distances [MB]. cuML would otherwise plan with 80 % of the
            whole device, although the simulator and torch live there too.

    Returns:
        Labels ``[P]`` int64 with -1 for noise, and the indices of the core points ``[C]`` int64.

    Raises:
        ConfigError: If scikit-learn is asked for ``rbc``.
    """
    if backend == "cuml":
        model = import_cuml_cluster().DBSCAN(
            eps=eps,
            min_samples=min_samples,
            algorithm=algorithm,
            max_mbytes_per_batch=max_mbytes_per_batch,
            output_type="cupy",
        )
        # With other labels, or in double precision, cuML silently compares all pairs in spite of rbc.
        _fit_cuml(model, points.float(), out_dtype="int64")
        return _from_cuda_array(model.labels_, points), _from_cuda_array(model.core_sample_indices_, points)
    if algorithm == "rbc":
        raise ConfigError("algorithm = 'rbc' cannot be used with scikit-learn: take 'brute', or points on CUDA")

    from sklearn.cluster import DBSCAN

    model = DBSCAN(eps=eps, min_samples=min_samples, algorithm="brute").fit(points.cpu().numpy())
    labels, cores = torch.from_numpy(model.labels_), torch.from_numpy(model.core_sample_indices_)
    return labels.long().to(points.device), cores.long().to(points.device)


def kmeans(
    points: Tensor,
    *,
    num_clusters: int,
    seed: int,
    initial: Tensor | None,
    num_restarts: int,
    backend: str,
    max_samples_per_batch: int,
) -> Tensor:
    """Find the centroids that minimise the squared distances.

    Args:
        points: Points, ``[P, d]``.
        num_clusters: Number of centroids ``K``.
        seed: Seed of the initial centroids.
        initial: Centroids to start from, ``[K, d]``; None draws them.
        num_restarts: How often to draw initial centroids; the best result is kept.
        backend: ``sklearn`` or ``cuml``.
        max_samples_per_batch: Points whose distances cuML computes at once.

    Returns:
        Centroids, ``[K, d]``.
    """
    options: dict[str, Any] = {"n_clusters": num_clusters, "random_state": seed, "n_init": num_restarts}
    if initial is not None:
        options["n_init"] = 1
    if backend == "cuml":
        if initial is not None:
            options["init"] = initial.contiguous()
        model = import_cuml_cluster().KMeans(output_type="cupy", max_samples_per_batch=max_samples_per_batch, **options)
        _fit_cuml(model, points)
        return _from_cuda_array(model.cluster_centers_, points).to(points.dtype)

    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    if initial is not None:
        options["init"] = initial.cpu().numpy()
    with warnings.catch_warnings():
        # Policies that still act alike have equal features: then some of the clusters stay empty, which is right.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KMeans(**options).fit(points.cpu().numpy())
    return torch.from_numpy(model.cluster_centers_).to(points)


def _fit_cuml(model: Any, points: Tensor, **options: Any) -> None:
    """Fit a cuML model to points where they lie; options are those of its ``fit``."""
    with _on_stream_of(points):
        model.fit(points.contiguous(), **options)


@contextmanager
def _on_stream_of(points: Tensor) -> Iterator[None]:
    """Work on the device of points that have been written: torch's interface names no stream to wait for."""
    with torch.cuda.device(points.device):
        torch.cuda.current_stream().synchronize()
        yield


def _from_cuda_array(array: Any, like: Tensor) -> Tensor:
    """View a CuPy array as a tensor; whole numbers become int64."""
    tensor = torch.as_tensor(array, device=like.device)
    return tensor if tensor.is_floating_point() else tensor.long()
