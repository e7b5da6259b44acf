# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""One case of the clustering benchmark: ``python -m cgrpo_app.benchmarks.clustering_case SETTINGS``.

Settings are a JSON object: ``case``, ``kind``, ``count``, ``dim``, ``device``, ``eps`` and ``min_samples`` (of exact
cases) and ``labels``, the file to write the labels to. The last line of its output is a JSON object of the figures.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cgrpo_app.benchmarks.peak_memory import PeakMemory
from cgrpo_lab.clustering import DBSCAN, backends
from cgrpo_lab.clustering.base import Frame

MAX_FIT_POINTS, MIN_SAMPLES = 4096, 10
"""Sample and neighbours of ours, the defaults."""

EPS_QUANTILE, REACH = 0.8, 1.1
"""Most states are core points, and one that the sample's cores just miss belongs to a cluster of all states."""

REPEATS = 3
"""All but scikit-learn, which takes long, are measured this often, and the quickest counts: other load on the machine
comes and goes."""

WARM_UP_POINTS = 512


def modes(count: int, dim: int) -> Tensor:
    """Eight modes of unequal weight, flat (three directions and a little of all), and 5 % of noise."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    middles, directions = 4.0 * normal(8, dim), 0.7 * normal(8, 3, dim)
    mode = torch.multinomial(0.2 + torch.rand(8, generator=generator), count, replacement=True, generator=generator)
    states = middles[mode] + 0.3 * normal(count, dim)
    # Mode by mode: the directions of every state at once would be as large as three sets of states.
    for index in range(8):
        members = mode == index
        states[members] += normal(int(members.sum()), 3) @ directions[index]
    noise = torch.rand(count, generator=generator) < 0.05
    states[noise] = 6.0 * normal(int(noise.sum()), dim)
    return states


def cloud(count: int, dim: int) -> Tensor:
    """One connected normal cloud, which is what states of one gait look like."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, dim, generator=generator) @ torch.randn(dim, dim, generator=generator)


DATA: dict[str, Callable[[int, int], Tensor]] = {"modes": modes, "cloud": cloud}
"""Kinds of states ``[P, d]`` by name."""


def main(settings: dict[str, Any]) -> dict[str, Any]:
    """Measure one case.

    Args:
        settings: See the module.

    Returns:
        Time [s], processor time [s], peak memory beyond the states [MB], clusters, share of noise and radius.
    """
    device = torch.device(settings["device"])
    points = DATA[settings["kind"]](settings["count"], settings["dim"]).to(device)
    work = _ours if settings["case"] == "ours" else _exact
    # Imports, and on a GPU kernels, are loaded on the first call.
    work(points[:WARM_UP_POINTS], settings)
    memory = PeakMemory(device, with_cuml=settings["case"] != "sklearn" and device.type == "cuda")
    times = []
    for _ in range(1 if settings["case"] == "sklearn" else REPEATS):
        begin = time.perf_counter(), time.process_time()
        labels, eps = work(points, settings)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    np.save(settings["labels"], labels.cpu().numpy())
    seconds, cpu_seconds = min(times)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "memory_mb": memory.read(),
        "clusters": int(labels.max()) + 1,
        "noise_share": (labels < 0).float().mean().item(),
        "eps": eps,
    }


def _ours(points: Tensor, settings: dict[str, Any]) -> tuple[Tensor, float]:
    """Fit to a sample and label everything; labels ``[P]`` and the radius chosen."""
    dbscan = DBSCAN(
        seed=0, max_fit_points=MAX_FIT_POINTS, min_samples=MIN_SAMPLES, eps_quantile=EPS_QUANTILE, reach=REACH
    )
    labels = dbscan.fit(points).predict(points)
    return labels, dbscan.radius.item()


def _exact(points: Tensor, settings: dict[str, Any]) -> tuple[Tensor, float]:
    """DBSCAN of all points ``[P, d]`` at the radius of the settings; labels ``[P]`` and that radius."""
    on_gpu = points.is_cuda
    labels, _ = backends.dbscan(
        Frame.of(points, None).enter(points),
        eps=settings["eps"],
        min_samples=settings["min_samples"],
        algorithm="rbc" if settings["case"] == "cuml-rbc" else "brute",
        backend="cuml" if on_gpu else "sklearn",
        max_mbytes_per_batch=4096,
    )
    return labels, settings["eps"]


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
