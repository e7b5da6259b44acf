# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Algorithms to compare with that skrl implements, behind rsl_rl's algorithm interface.

Importing this package needs no skrl; its algorithm modules (:mod:`sac`, :mod:`td3`, :mod:`trpo`) do.
"""

from cgrpo_lab.baselines.config import OffPolicyCfg, SACCfg, SkrlCfg, TD3Cfg, TRPOCfg

__all__ = ["OffPolicyCfg", "SACCfg", "SkrlCfg", "TD3Cfg", "TRPOCfg"]
