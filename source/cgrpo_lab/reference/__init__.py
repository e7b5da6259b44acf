# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Reference policies that the group is measured against."""

from cgrpo_lab.reference.mixture import MixtureReference

__all__ = ["MixtureReference"]
