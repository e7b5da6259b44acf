# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Figures of the paper's experiment: learning curves of every policy, and the paper's claims beside them.

Returns are mean rewards per step times 1000, the length of an episode of HalfCheetah.
"""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from cgrpo_app import run_folder
from cgrpo_app.benchmarks.paper_studies import FULL, SIMPLE, Trial
from cgrpo_app.compare.training_job import FAILURE

EPISODE_STEPS = 1000
PAPER_SCALE = 0.1
"""From a return of 1000 steps to one discounted with 0.99, which is what makes the paper's -60 an untrained policy."""

END_SHARE = 0.1
"""Share of the iterations, at the end, whose mean is the final return."""

STEADY_SHARE = 0.2
"""Share of the iterations, at the end, over which steadiness is judged: the paper's last 100 of 500."""


@dataclass
class Outcome:
    """What a finished trial reached."""

    case: str
    study: str
    seed: int

    curves: np.ndarray
    """Return per 1000 steps of every policy, shape [N, I]."""

    episode_returns: np.ndarray
    """Mean return of the latest episodes, NaN before the first one ended, shape [I]."""

    deterministic: float
    """Mean return of the deployed policy without noise, over fresh episodes."""

    wall_time_s: float

    @property
    def start(self) -> float:
        """Return of the first iteration, mean of the policies."""
        return float(self.curves[:, 0].mean())

    @property
    def ends(self) -> np.ndarray:
        """Final return of every policy, shape [N]."""
        return self._last(END_SHARE).mean(axis=1)

    @property
    def end(self) -> float:
        """Final return, mean of the policies."""
        return float(self.ends.mean())

    @property
    def unsteadiness(self) -> float:
        """Standard deviation from iteration to iteration near the end, about a straight line, mean of policies."""
        last = self._last(STEADY_SHARE)
        at = np.arange(last.shape[1])
        return float(np.mean([np.std(curve - np.polyval(np.polyfit(at, curve, 1), at)) for curve in last]))

    @property
    def episode_end(self) -> float | None:
        """Mean return of the latest episodes near the end; None if no episode had ended by then."""
        returns = self.episode_returns[-self._count(END_SHARE) :]
        return float(np.nanmean(returns)) if np.isfinite(returns).any() else None

    def row(self) -> dict[str, Any]:
        """Everything but the curves, for JSON."""
        names = ("case", "study", "seed", "start", "end", "unsteadiness", "episode_end", "deterministic", "wall_time_s")
        return {name: getattr(self, name) for name in names} | {"ends": self.ends.tolist()}

    def _count(self, share: float) -> int:
        return max(2, round(share * self.curves.shape[1]))

    def _last(self, share: float) -> np.ndarray:
        return self.curves[:, -self._count(share) :]


def read_outcome(trial: Trial) -> Outcome:
    """Read a finished trial."""
    folder = trial.training_folder
    report = run_folder.read_json(folder / run_folder.REPORT_FILE)
    with (folder / "progress.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    curves = [[float(row[f"Policy/reward_{i}"]) for row in rows] for i in range(trial.case.policies)]
    return Outcome(
        case=trial.case.name,
        study=trial.case.study,
        seed=trial.seed,
        curves=EPISODE_STEPS * np.array(curves),
        episode_returns=np.array([float(row.get("Train/mean_reward") or "nan") for row in rows]),
        deterministic=report["final_policy"]["return"]["mean"],
        wall_time_s=float(rows[-1]["wall_time_s"]),
    )


def read_failures(trials: list[Trial]) -> list[dict[str, Any]]:
    """Case, seed and error of the trials that have failed."""
    found = [(trial, run_folder.find_json(trial.folder / FAILURE)) for trial in trials if not trial.is_trained()]
    return [
        {"case": trial.case.name, "seed": trial.seed, "error": failure["error"]}
        for trial, failure in found
        if failure is not None
    ]


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
    ends = [[outcome.end for outcome in variant] for variant in (full, simple)]
    gain = Difference.of(*ends)
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
            f"{np.mean(ends[0]):.0f} and {np.mean(ends[1]):.0f} per 1000 steps, difference {gain}",
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


def by_case(outcomes: list[Outcome], case: str) -> list[Outcome]:
    """Outcomes of one case."""
    return [outcome for outcome in outcomes if outcome.case == case]


def as_json(outcomes: list[Outcome]) -> dict[str, Any]:
    """All figures, without the curves."""
    return {
        "claims": [asdict(claim) for claim in claims(outcomes)],
        "trials": [outcome.row() for outcome in outcomes],
    }


def _scaled(outcomes: list[Outcome], name: str) -> str:
    """Mean of an attribute on the paper's scale."""
    return f"{PAPER_SCALE * np.mean([getattr(outcome, name) for outcome in outcomes]):.0f}"
