# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Evaluation of trained policies."""

from cgrpo_lab.evaluation.episodes import EpisodeResults, evaluate, summarize, wilson_interval

__all__ = ["EpisodeResults", "evaluate", "summarize", "wilson_interval"]
