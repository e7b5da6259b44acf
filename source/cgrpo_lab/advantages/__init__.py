# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Advantage estimators: what a step of a rollout is compared with (eqs 6 and 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from cgrpo_lab.advantages.base import AdvantageEstimator, GroupAdvantages
from cgrpo_lab.advantages.episode import Episode
from cgrpo_lab.advantages.least_squares import LeastSquares
from cgrpo_lab.advantages.state_cluster import StateCluster
from cgrpo_lab.advantages.time_step import TimeStep
from cgrpo_lab.advantages.value_centred import ValueCentred
from cgrpo_lab.advantages.value_features import Encoder
from cgrpo_lab.validation import require_choice, require_options

ESTIMATORS: dict[str, type[AdvantageEstimator]] = {
    "state_cluster": StateCluster,
    "least_squares": LeastSquares,
    "time_step": TimeStep,
    "episode": Episode,
    "value_centred": ValueCentred,
}
"""Estimators by the name that configurations use."""


def make_estimator(
    name: str,
    *,
    num_states: int,
    device: str | torch.device,
    generator: torch.Generator,
    freeze_encoder: Callable[[], Encoder] | None = None,
    **options: Any,
) -> AdvantageEstimator:
    """Make an estimator by name.

    Args:
        name: A key of :data:`ESTIMATORS`.
        num_states: Size ``S`` of a state.
        device: Device of the rollouts.
        generator: Source of all randomness of the estimator.
        freeze_encoder: Makes a frozen copy of the policy's hidden layers as they are now, for estimators that use it.
        **options: Further keyword arguments of the estimator's constructor.

    Returns:
        The estimator.

    Raises:
        ValueError: If the name or an option is unknown, or an option is out of its bounds.
    """
    require_choice("estimator", name, list(ESTIMATORS))
    estimator = ESTIMATORS[name]
    remedy = "; estimator_options={} drops those that the task has set for another estimator"
    require_options(f"estimator {name!r}", estimator, options, remedy)
    if estimator.takes_encoder:
        options["freeze_encoder"] = freeze_encoder
    return estimator(num_states=num_states, device=device, generator=generator, **options)


__all__ = [
    "ESTIMATORS",
    "AdvantageEstimator",
    "Encoder",
    "Episode",
    "GroupAdvantages",
    "LeastSquares",
    "StateCluster",
    "TimeStep",
    "ValueCentred",
    "make_estimator",
]
