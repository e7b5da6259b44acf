# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Most memory that a piece of work needs."""

import ctypes
import gc
from pathlib import Path
from typing import Any

import torch


class PeakMemory:
    """Most memory in use since its construction, less what was in use then."""

    def __init__(self, device: torch.device, with_cuml: bool = False) -> None:
        """Start to watch; ``with_cuml`` adds what cuML allocates beside torch."""
        self.device = device
        self.statistics: Any = None
        if with_cuml:
            from rmm import statistics

            statistics.enable_statistics()
            self.statistics = statistics
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self.before = torch.cuda.memory_allocated(device)
        else:
            # What is free but still held would be used again without being counted.
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
            # Linux: 5 sets the peak back to what is resident now.
            Path("/proc/self/clear_refs").write_text("5")
            self.before = self._resident_peak()

    def read(self) -> float:
        """Return the peak [MB]."""
        if self.device.type != "cuda":
            return (self._resident_peak() - self.before) / 1e6
        peak = torch.cuda.max_memory_allocated(self.device) - self.before
        if self.statistics is not None:
            peak += self.statistics.get_statistics().peak_bytes
        return peak / 1e6

    def _resident_peak(self) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
