# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the trials of the paper's experiment reached, read from their folders or from the report of an earlier call.

Returns are mean rewards per step times 1000, the length of an episode of HalfCheetah.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cgrpo_app import run_folder
from cgrpo_app.benchmarks.paper_studies import Trial
from cgrpo_app.compare.text import NONE
from cgrpo_app.compare.training_job import FAILURE

EPISODE_STEPS = 1000

END_SHARE = 0.1
"""Share of the iterations, at the end, whose mean is the final return."""

STEADY_SHARE = 0.2
"""Share of the iterations, at the end, over which steadiness is judged: the paper's last 100 of 500."""

CURVE_ITERATIONS = 10
"""Iterations whose mean is a point of a curve."""


@dataclass(frozen=True)
class Outcome:
    """What a finished trial reached, as it is kept in ``results.json``."""

    case: str
    study: str
    seed: int

    start: float
    """Return of the first iteration, mean of the policies."""

    ends: list[float]
    """Final return of every policy, ``[N]``."""

    unsteadiness: float
    """Standard deviation from iteration to iteration near the end, about a straight line, mean of the policies."""

    episode_end: float | None
    """Mean return of the latest episodes near the end; None if no episode had ended by then."""

    deterministic: float
    """Mean return of the deployed policy without noise, over fresh episodes."""

    wall_time_s: float

    curves: list[list[float]]
    """Return of every policy, a mean over :data:`CURVE_ITERATIONS` a point, to a tenth, ``[N, I / 10]``."""

    episode_curve: list[float | None]
    """Mean return of the latest episodes, likewise, None before the first one ended, ``[I / 10]``."""

    @property
    def end(self) -> float:
        """Final return, mean of the policies."""
        return float(np.mean(self.ends))

    @classmethod
    def of(
        cls, case: str, study: str, seed: int, *, curves: np.ndarray, episode_returns: np.ndarray, **measured: float
    ) -> "Outcome":
        """Sum up a trial.

        Args:
            case: Name of its case.
            study: Study of the case.
            seed: Its seed.
            curves: Return of every policy in every iteration, ``[N, I]``.
            episode_returns: Mean return of the latest episodes in every iteration, NaN before the first one ended,
                ``[I]``.
            measured: ``deterministic`` and ``wall_time_s``.
        """
        steady = _last(curves, STEADY_SHARE)
        at = np.arange(steady.shape[1])
        residuals = [curve - np.polyval(np.polyfit(at, curve, 1), at) for curve in steady]
        returns = _last(episode_returns, END_SHARE)
        return cls(
            case=case,
            study=study,
            seed=seed,
            start=float(curves[:, 0].mean()),
            ends=_last(curves, END_SHARE).mean(axis=1).tolist(),
            unsteadiness=float(np.mean(np.std(residuals, axis=1))),
            episode_end=float(np.nanmean(returns)) if np.isfinite(returns).any() else None,
            curves=[_points(curve) for curve in curves],
            episode_curve=_points(episode_returns),
            **measured,
        )


def _last(values: np.ndarray, share: float) -> np.ndarray:
    """The last iterations, at least two, of values ``[..., I]``."""
    return values[..., -max(2, round(share * values.shape[-1])) :]


def _points(curve: np.ndarray) -> list[float | None]:
    """Means of ten iterations each, None where there is no value; what is left over at the end has no point."""
    blocks = curve[: len(curve) // CURVE_ITERATIONS * CURVE_ITERATIONS].reshape(-1, CURVE_ITERATIONS)
    return [round(float(np.nanmean(block)), 1) if np.isfinite(block).any() else None for block in blocks]


def read_outcome(trial: Trial) -> Outcome:
    """Read a finished trial."""
    folder = trial.training_folder
    report = run_folder.read_json(folder / run_folder.REPORT_FILE)
    with (folder / "progress.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    curves = [[float(row[f"Policy/reward_{i}"]) for row in rows] for i in range(trial.case.policies)]
    return Outcome.of(
        trial.case.name,
        trial.case.study,
        trial.seed,
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


def by_case(outcomes: Sequence[Outcome], case: str) -> list[Outcome]:
    """Outcomes of one case."""
    return [outcome for outcome in outcomes if outcome.case == case]


def ends(trials: Sequence[Outcome]) -> list[float]:
    """Final return of each trial."""
    return [trial.end for trial in trials]


def spread(values: Sequence[float]) -> str:
    """Mean, and over several seeds their standard deviation; a dash without values."""
    if not values:
        return NONE
    deviation = f" ± {np.std(values, ddof=1):.0f}" if len(values) > 1 else ""
    return f"{np.mean(values):.0f}{deviation}"
