# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What every advantage estimator takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from cgrpo_lab import distributed
from cgrpo_lab.validation import require_number

if TYPE_CHECKING:
    from cgrpo_lab.rollouts import GroupRollout


@dataclass
class GroupAdvantages:
    """Advantages of one rollout of ``T`` steps in ``E`` environments, before group normalisation (eq 8)."""

    advantages: Tensor
    """How much better each action did than its group, ``[T, E]``, in reward units."""

    baseline: Tensor
    """What was to be expected from each state, ``[T, E]``, in reward units."""

    diagnostics: dict[str, Tensor] = field(default_factory=dict)
    """Scalars to log, 0-dim tensors on the rollout's device: nothing here waits for the GPU."""

    judged: Tensor | None = None
    """Steps that there is something to say about, ``[T, E]`` bool; None means all. The advantage of the others is
    zero, and they should neither enter the group normalisation nor the loss."""


class AdvantageEstimator(nn.Module, ABC):
    """Turns a rollout into advantages by comparing each step with comparable steps of the group.

    The methods of this family differ in what they call comparable; that difference is a subclass. Whatever an
    estimator remembers from one iteration to the next lives in buffers, so that a checkpoint restores it exactly.
    """

    takes_encoder: ClassVar[bool] = False
    """Whether the constructor takes ``freeze_encoder``, which makes frozen copies of a policy's hidden layers."""

    def __init__(self, *, num_states: int, device: str | torch.device, generator: torch.Generator, gamma: float):
        """Keep what all estimators need.

        Args:
            num_states: Size ``S`` of a state.
            device: Device of the rollouts and of everything remembered.
            generator: Source of all randomness; owned, and saved, by the caller.
            gamma: Discount factor of one step.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        super().__init__()
        require_number("num_states", num_states, at_least=1, integer=True)
        require_number("gamma", gamma, at_least=0.0, at_most=1.0)
        self.num_states = num_states
        self.device = torch.device(device)
        self.generator = generator
        self.gamma = gamma

    def check_envs(self, envs_per_policy: int) -> None:  # noqa: B027 (most take any number)
        """Raise a ConfigError if the estimator cannot compare this many environments of a policy."""

    @abstractmethod
    def forward(self, rollout: GroupRollout) -> GroupAdvantages:
        """Judge every step of a rollout, and learn from it for the next.

        Args:
            rollout: States ``[T+1, E, S]``, rewards, terminations and time-outs ``[T, E]``.

        Returns:
            Advantages, baseline (both ``[T, E]``) and diagnostics.
        """


def explained_variance(targets: Tensor, baseline: Tensor) -> Tensor:
    """Share of the variance of the targets that the baseline removes, ``1 - Var[G - b] / Var[G]``.

    Args:
        targets: Returns, any shape.
        baseline: Their prediction, same shape.

    Returns:
        0-dim tensor, at most 1; 0 where the targets do not vary at all.
    """
    variance, left = _variance(targets), _variance(targets - baseline)
    return torch.where(variance > 0, 1 - left / variance, torch.zeros_like(variance))


def _variance(values: Tensor) -> Tensor:
    """Variance over the samples of all processes, 0-dim."""
    mean = values.mean()
    return distributed.all_mean(values.var(correction=0) + (mean - distributed.all_mean(mean.clone())).square())
