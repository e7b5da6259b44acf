# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The training loop and its files."""

from cgrpo_lab.runners.cgrpo_runner import CGRPORunner
from cgrpo_lab.runners.checkpoint import CheckpointError
from cgrpo_lab.runners.finite_check import NonFiniteError

__all__ = ["CGRPORunner", "CheckpointError", "NonFiniteError"]
