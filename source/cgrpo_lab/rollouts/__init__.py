# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Rollouts: the experience of a group of policies."""

from cgrpo_lab.rollouts.group_rollout import GroupRollout

__all__ = ["GroupRollout"]
