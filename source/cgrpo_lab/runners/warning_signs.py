# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Signs in the metrics that a run goes wrong, told once, with what to do about it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

logger = logging.getLogger(__name__)

PATIENCE = 20
"""Iterations in a row that a sign must be seen in."""


@dataclass
class Sign:
    """Something that metrics may show."""

    metric: str
    """Column of ``progress.csv``; a run that does not have it never shows the sign."""
    is_bad: Callable[[float, float], bool]
    """Whether it is seen, from the present value and the largest one so far."""
    advice: str
    """What it means and what to do."""


SIGNS = (
    Sign(
        "Group/policy_distance_min",
        lambda distance, largest: distance < 0.01,
        "two policies act alike (collapse): one of them is wasted. Raise agent.algorithm.diversity_coef or "
        "agent.algorithm.replace_noise, replace less often, or lower agent.algorithm.num_policies",
    ),
    Sign(
        "Reward/std",
        lambda std, largest: std < 0.01 * largest,
        "rewards hardly differ any more (mode collapse): there is nothing left to compare. If the task is not solved, "
        "the policies exploit something in the reward, or noise died too early: look at a video (scripts/play.py "
        "--video), raise agent.algorithm.entropy_coef",
    ),
    Sign(
        "Group/zero_variance",
        lambda groups, largest: groups >= 1.0,
        "a group has no variance in its advantages and learns nothing: give it more environments (--num_envs) or lower "
        "agent.algorithm.num_groups; a reward that is constant does this, too",
    ),
    Sign(
        "Advantage/explained_variance",
        lambda share, largest: share < 0.0,
        "the baseline predicts returns worse than their mean does: use --num_envs with more environments, more steps "
        "(agent.num_steps_per_env) or another agent.algorithm.estimator",
    ),
    Sign(
        "Advantage/fallback_share",
        lambda share, largest: share > 0.5,
        "most samples have too few others in their cluster or bin and are compared with a fallback: use fewer clusters "
        "or wider bins (agent.algorithm.estimator_options), or more environments",
    ),
    Sign(
        "Loss/clip_fraction",
        lambda share, largest: share > 0.5,
        "most samples are outside of the clip range: the update is too large. Lower agent.algorithm.learning_rate or "
        "agent.algorithm.num_learning_epochs",
    ),
)


class WarningSigns:
    """Watches the metrics of a run; a sign that lasts is logged once."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._largest: dict[str, float] = {}
        self._lasting = dict.fromkeys((sign.metric for sign in SIGNS), 0)
        self._told: set[str] = set()

    def look(self, metrics: Mapping[str, float], iteration: int) -> None:
        """Look at the metrics of one iteration, by their column in ``progress.csv``."""
        for sign in SIGNS:
            if sign.metric not in metrics:
                continue
            value = metrics[sign.metric]
            self._largest[sign.metric] = max(value, self._largest.get(sign.metric, value))
            lasting = self._lasting[sign.metric] + 1 if sign.is_bad(value, self._largest[sign.metric]) else 0
            self._lasting[sign.metric] = lasting
            if lasting >= PATIENCE and sign.metric not in self._told:
                self._told.add(sign.metric)
                what = f"iteration {iteration}: {sign.metric} = {value:.3g} for {PATIENCE} iterations"
                logger.warning("%s: %s.", what, sign.advice)
