# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Work in batches that shrink when memory runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


class Batches:
    """Size of a batch, halved whenever a piece of work runs out of memory.

    The simulator shares the GPU, so what fits today need not fit tomorrow. The smaller size stays: asking again for
    what was refused would cost a failure every time.
    """

    def __init__(self, size: int):
        """Begin with a size.

        Args:
            size: Size of a batch, in whatever unit the work counts.
        """
        self.size = size
        self.halvings = 0
        """How often memory ran out."""

    def run(self, work: Callable[[int], Result]) -> Result:
        """Do a piece of work, again with half the batch where memory runs out.

        Args:
            work: Called with the size of a batch; must be repeatable.

        Returns:
            What the work returns.

        Raises:
            MemoryError: If a batch of one does not fit (``torch.OutOfMemoryError`` where torch ran out).
        """
        while True:
            try:
                return work(self.size)
            # CuPy's and RMM's errors are Python's MemoryError.
            except (torch.OutOfMemoryError, MemoryError):
                if self.size == 1:
                    raise
            # Outside of the handler, whose error keeps the tensors of the failed attempt alive.
            self.size //= 2
            self.halvings += 1
            log = logger.warning if self.halvings == 1 else logger.debug
            log("clustering ran out of memory and goes on with half the batch (%d)", self.size)
            if torch.cuda.is_initialized():
                torch.cuda.empty_cache()
