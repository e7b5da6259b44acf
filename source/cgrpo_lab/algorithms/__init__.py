# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The algorithm, its objective and its settings."""

from cgrpo_lab.algorithms.cgrpo import CGRPO
from cgrpo_lab.algorithms.config import CGRPOCfg, ConfigError, GroupPolicyCfg

__all__ = ["CGRPO", "CGRPOCfg", "ConfigError", "GroupPolicyCfg"]
