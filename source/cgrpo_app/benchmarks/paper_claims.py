# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The statements of the paper's section 7.3, judged by the outcomes of several seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from cgrpo_app.benchmarks.paper_outcomes import Outcome, by_case, ends
from cgrpo_app.benchmarks.paper_studies import FULL, SIMPLE

PAPER_SCALE = 0.1
"""From a return of 1000 steps to one discounted with 0.99, which is what makes the paper's -60 an untrained policy."""


@dataclass(frozen=True)
class Difference:
    """Difference of two means with its 95 % interval (Welch)."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, first: Sequence[float], second: Sequence[float]) -> "Difference":
        """Mean of the first sample minus that of the second; without an interval below two values each."""
        value = float(np.mean(first) - np.mean(second))
        if min(len(first), len(second)) < 2:
            return cls(value, float("-inf"), float("inf"))
        interval = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
        return cls(value, float(interval.low), float(interval.high))

    def __str__(self) -> str:
        """The value with its interval, if there is one."""
        interval = f" ({self.low:+.0f} to {self.high:+.0f})" if np.isfinite(self.low) else ""
        return f"{self.value:+.0f}{interval}"

    @property
    def verdict(self) -> str:
        """Whether the first is larger."""
        if self.low > 0.0:
            return "yes"
        return "no, the opposite" if self.high < 0.0 else "not shown"


@dataclass(frozen=True)
class Claim:
    """A statement of section 7.3 beside what was found."""

    claim: str
    paper: str
    here: str
    verdict: str


def claims(outcomes: list[Outcome]) -> list[Claim]:
    """Judge the paper's statements by the two variants of its section 7; none without trials of both."""
    full, simple = by_case(outcomes, FULL.name), by_case(outcomes, SIMPLE.name)
    if not full or not simple:
        return []
    full_ends, simple_ends = ends(full), ends(simple)
    gain = Difference.of(full_ends, simple_ends)
    unsteady = [[outcome.unsteadiness for outcome in variant] for variant in (full, simple)]
    steadiness = Difference.of(unsteady[1], unsteady[0])
    first_ahead = sum(outcome.ends[0] > outcome.ends[1] for outcome in (*full, *simple))
    trials = len(full) + len(simple)
    # Ahead by chance in half of the seeds.
    chance = stats.binomtest(first_ahead, trials, alternative="greater").pvalue
    learned = sum(outcome.end > outcome.start for outcome in (*full, *simple))
    return [
        Claim(
            "both variants learn",
            "-60 to over 60 (Full) and 30 (Simple)",
            f"{_scaled(full, 'start')} to {_scaled(full, 'end')} (Full) and {_scaled(simple, 'end')} (Simple);"
            f" {learned} of {trials} trials end above their start",
            "yes" if learned == trials else "in part" if learned else "no",
        ),
        Claim(
            "Full ends higher than Simple",
            "about twice as high",
            f"{np.mean(full_ends):.0f} and {np.mean(simple_ends):.0f} per 1000 steps, difference {gain}",
            gain.verdict,
        ),
        Claim(
            "policy 1 ends above policy 2",
            "in both variants",
            f"in {first_ahead} of {trials} trials",
            "yes" if chance < 0.05 else "not shown",
        ),
        Claim(
            "Full is steadier in the last fifth",
            "visibly lower variance",
            f"standard deviation {np.mean(unsteady[0]):.0f} and {np.mean(unsteady[1]):.0f} (Simple), difference"
            f" {steadiness}",
            steadiness.verdict,
        ),
    ]


def _scaled(outcomes: list[Outcome], name: str) -> str:
    """Mean of an attribute on the paper's scale."""
    return f"{PAPER_SCALE * np.mean([getattr(outcome, name) for outcome in outcomes]):.0f}"
