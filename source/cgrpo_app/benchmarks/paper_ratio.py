# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""How many times as high one number of groups ends as another, over all numbers of policies together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from cgrpo_app.benchmarks.paper_outcomes import Outcome, by_case, ends
from cgrpo_app.benchmarks.paper_studies import GRID


@dataclass(frozen=True)
class Ratio:
    """Ratio of final returns with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """The value with its interval."""
        return f"{self.value:.2f} times (95 % interval {self.low:.2f} to {self.high:.2f})"


def ratio_of_groups(outcomes: Sequence[Outcome], groups: int, others: int) -> Ratio | None:
    """Final returns with one number of groups relative to those with another.

    Ordinary least squares on the logarithms of the returns, with a level of its own for each number of policies that
    has trials of both.

    Args:
        outcomes: Finished trials.
        groups: Number of groups K whose returns are divided.
        others: Number of groups they are divided by.

    Returns:
        None where fewer trials than unknowns or returns that have no logarithm leave nothing to say.
    """
    trials = [
        (case.policies, case.groups == groups, end)
        for case in GRID
        if case.groups in (groups, others)
        for end in ends(by_case(outcomes, case.name))
    ]
    levels = sorted({n for n, first, _ in trials if first} & {n for n, first, _ in trials if not first})
    trials = [trial for trial in trials if trial[0] in levels]
    degrees_of_freedom = len(trials) - len(levels) - 1
    if not levels or degrees_of_freedom < 1 or min(end for *_, end in trials) <= 0.0:
        return None
    design = np.array([[first, *(n == level for level in levels)] for n, first, _ in trials], dtype=float)
    target = np.log([end for *_, end in trials])
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    variance = np.sum((target - design @ solution) ** 2) / degrees_of_freedom
    error = np.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0])
    low, high = stats.t.interval(0.95, degrees_of_freedom, loc=solution[0], scale=error)
    return Ratio(*(float(np.exp(value)) for value in (solution[0], low, high)))
