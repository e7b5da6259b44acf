# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Minibatches of a group: as many samples of every policy, drawn without replacement once per epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from cgrpo_lab.rollouts import GroupRollout


@dataclass
class MiniBatch:
    """B samples of every policy; see :class:`GroupRollout` for the fields."""

    observations: torch.Tensor
    """[N, B, D]."""
    samples: torch.Tensor
    """[N, B, A]."""
    means: torch.Tensor
    """[N, B, A]."""
    log_probs: torch.Tensor
    """[N, B]."""
    advantages: torch.Tensor
    """[N, B]."""
    next_observations: torch.Tensor | None
    """[N, B, D], only where the smoothness penalty asks for it."""
    same_episode: torch.Tensor | None
    """[N, B], likewise."""


def mini_batches(
    rollout: GroupRollout,
    advantages: torch.Tensor,
    *,
    num_epochs: int,
    num_mini_batches: int,
    with_next: bool,
    generator: torch.Generator,
) -> Iterator[MiniBatch]:
    """Every sample of every policy once per epoch, in an order of its own for each policy.

    Args:
        rollout: Finished rollout.
        advantages: Normalised advantages, shape [N, T * M].
        num_epochs: Passes over the rollout.
        num_mini_batches: Minibatches per pass; samples that do not fill the last one are left out of that pass.
        with_next: Whether the following observations are needed.
        generator: Source of the order, on the rollout's device.
    """
    observations = rollout.per_policy(rollout.observations)
    samples, means = rollout.per_policy(rollout.samples), rollout.per_policy(rollout.means)
    log_probs = rollout.per_policy(rollout.log_probs)
    same_episode = ~rollout.per_policy(rollout.dones)
    policies, count = log_probs.shape
    size = count // num_mini_batches
    row = torch.arange(policies, device=log_probs.device).unsqueeze(1)
    for _ in range(num_epochs):
        order = torch.rand(policies, count, device=log_probs.device, generator=generator).argsort(dim=1)
        for start in range(0, size * num_mini_batches, size):
            index = order[:, start : start + size]
            yield MiniBatch(
                observations=observations[row, index],
                samples=samples[row, index],
                means=means[row, index],
                log_probs=log_probs[row, index],
                advantages=advantages[row, index],
                # The same environment one step later: samples are laid out step by step.
                next_observations=observations[row, index + rollout.envs_per_policy] if with_next else None,
                same_episode=same_episode[row, index] if with_next else None,
            )
