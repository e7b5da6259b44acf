# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Aggregates over tasks and seeds with stratified bootstrap intervals (Agarwal et al., NeurIPS 2021).

The strata are tasks: arch's bootstrap for independent samples draws the runs of every task anew among themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from arch.bootstrap import IndependentSamplesBootstrap

REPETITIONS = 2000
"""Bootstrap samples, as rliable's authors recommend for intervals."""

SEED = 20_250_719
"""Of the bootstrap's own draws: the same runs always give the same intervals."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def interquartile_mean(*scores: np.ndarray) -> float:
    """Mean of the middle half of all scores, tasks together: robust as a median, efficient as a mean.

    Args:
        scores: Scores by task, each of shape [R].
    """
    return float(interquartile_curve(np.concatenate(scores)))


def interquartile_curve(curves: np.ndarray) -> np.ndarray:
    """Interquartile mean of learning curves, shape [R, P], at each point, shape [P].

    The same as ``scipy.stats.trim_mean(curves, 0.25)``, whose checks of its input take a hundred times as long; the
    bootstrap calls this some 100,000 times.
    """
    ordered, cut = np.sort(curves, axis=0), len(curves) // 4
    return ordered[cut : len(ordered) - cut].mean(axis=0)


def probability_of_improvement(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> float:
    """Probability that a run of the first agent beats one of the second on a task chosen at random; ties count half.

    Args:
        first: Scores by task, each of shape [R].
        second: Scores of the other agent on the same tasks, each of shape [S].
    """
    tasks = zip(first, second, strict=True)
    return float(np.mean([np.mean((x[:, None] > y) + 0.5 * (x[:, None] == y)) for x, y in tasks]))


def performance_profile(scores: Sequence[np.ndarray], levels: np.ndarray) -> np.ndarray:
    """Share of runs whose score exceeds each level, tasks counted alike.

    Args:
        scores: Scores by task, each of shape [R].
        levels: Levels, shape [L].

    Returns:
        Shares, shape [L].
    """
    return np.mean([(task[:, None] > levels).mean(axis=0) for task in scores], axis=0)


def estimate(function: Callable[..., float], *samples: np.ndarray) -> Estimate:
    """A function of independent samples with its bootstrap interval.

    Args:
        function: Takes the samples as arguments.
        samples: Samples, each of shape [R], redrawn independently of one another.
    """
    low, high = band(lambda *drawn: np.atleast_1d(function(*drawn)), *samples)
    return Estimate(float(function(*samples)), float(low[0]), float(high[0]))


def band(function: Callable[..., np.ndarray], *samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise 95 % percentile interval of a function with values [L].

    Args:
        function: Takes the samples as arguments.
        samples: Samples whose first dimension is redrawn.

    Returns:
        Lower and upper bounds, each of shape [L].
    """
    bootstrap = IndependentSamplesBootstrap(*samples, seed=np.random.default_rng(SEED))
    return tuple(bootstrap.conf_int(function, reps=REPETITIONS, method="percentile", size=0.95))
