# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The paper's metrics of single runs and of one agent's runs on one task: plain arithmetic on arrays."""

import numpy as np

LAST_PART = 0.1
"""Share of a run, at its end, that tells how steady it is."""


def first_reaching(threshold: float, returns: np.ndarray, at: np.ndarray) -> float:
    """Sample efficiency: where a learning curve first reaches a return.

    Args:
        threshold: Return to reach.
        returns: Learning curve, shape [P].
        at: Env steps or seconds at its points, shape [P].

    Returns:
        The first of ``at`` whose return is not below the threshold; infinity if there is none.
    """
    reached = np.flatnonzero(returns >= threshold)
    return float(at[reached[0]]) if reached.size else float("inf")


def last_part(steps: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Returns in the last tenth of a run's env steps.

    Args:
        steps: Env steps, ascending, shape [P].
        returns: Learning curve, shape [P].
    """
    return returns[steps > (1.0 - LAST_PART) * steps[-1]]


def sample_std(values: np.ndarray) -> float | None:
    """Standard deviation with n - 1; None for a single value, which tells nothing about spread."""
    if len(values) < 2:
        return None
    # Equal values need not equal their mean in float64.
    return float(np.std(values, ddof=1)) if np.ptp(values) > 0.0 else 0.0


def median_with_failures(values: list[float], runs: int) -> float:
    """Median over all runs, those without a value counting as infinity, so that no failure makes an agent look faster.

    Args:
        values: One per run that has one; may hold infinities.
        runs: Number of runs, failed ones included.
    """
    ordered = np.sort(np.array([*values, *[np.inf] * (runs - len(values))]))
    middle = len(ordered) // 2
    return float(ordered[middle]) if len(ordered) % 2 else float((ordered[middle - 1] + ordered[middle]) / 2.0)
