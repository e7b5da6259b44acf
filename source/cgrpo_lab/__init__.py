# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Learning half of CGRPO Lab: tensors, policies and groups; no robot and no simulator."""

__version__ = "0.1.0"
