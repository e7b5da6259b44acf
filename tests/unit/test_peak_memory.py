# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The memory that benchmarks report."""

import pytest
import torch

from cgrpo_app.benchmarks.peak_memory import PeakMemory

pytestmark = pytest.mark.unit


def touch_memory() -> list[torch.Tensor]:
    """20 MB in pieces small enough to come from the heap."""
    return [torch.ones(4000) for _ in range(1250)]


def test_memory_that_was_used_and_freed_before_counts_again():
    freed = touch_memory()
    end_of_heap = freed[-1]  # while it lives the allocator cannot return what lies before it on its own
    del freed
    memory = PeakMemory(torch.device("cpu"))
    used = touch_memory()
    assert 19 < memory.read() < 40
    assert len(used) and len(end_of_heap)


def test_a_peak_counts_after_it_is_over():
    memory = PeakMemory(torch.device("cpu"))
    touch_memory()
    assert memory.read() > 19
