# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Shared test setup: markers from folders, GPU tests skipped with the reason, few threads, repeatable examples."""

import os
import random
from pathlib import Path

# Before torch, numpy or Warp load: small test problems lose more to threads than they gain, and CI has two cores.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

FOLDER_MARKERS = ("unit", "sim")
TESTS = Path(__file__).parent


@pytest.fixture(autouse=True)
def same_draws_every_time():
    """Seed the global generators before each test: no tolerance is met on one day and missed on another."""
    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def _why_no_gpu() -> str | None:
    """Return why CUDA cannot be used here, or None where it can."""
    import torch

    if torch.cuda.is_available():
        return None
    return "no CUDA device: torch was built without CUDA" if torch.version.cuda is None else "no CUDA device found"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder, run the quick ones first and skip GPU tests where there is no GPU."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in FOLDER_MARKERS:
            item.add_marker(folder)
    items.sort(key=lambda item: item.get_closest_marker("sim") is not None)

    gpu_items = [item for item in items if item.get_closest_marker("gpu")]
    if gpu_items and (reason := _why_no_gpu()):
        for item in gpu_items:
            item.add_marker(pytest.mark.skip(reason=reason))
