# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Minibatches of a group: as many samples of every policy, drawn without replacement once per epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from cgrpo_lab import distributed
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
    weights: torch.Tensor | None
    """[N, B]; None for equal ones. With several processes a minibatch is drawn from the samples of all, so policies
    have different numbers of them here: rows are filled up with weight 0, and ``(x * weights).mean(dim=1)``, averaged
    over the processes, is the mean over the minibatch."""


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
    policies, count = log_probs.shape[0], log_probs.shape[1] * distributed.world_size()
    size = count // num_mini_batches
    row = torch.arange(policies, device=log_probs.device).unsqueeze(1)
    for _ in range(num_epochs):
        order = torch.rand(policies, count, device=log_probs.device, generator=generator).argsort(dim=1)
        batches = order[:, : size * num_mini_batches].view(policies, num_mini_batches, size)
        for index, weights in _own_parts(batches, rollout.envs_per_policy):
            yield MiniBatch(
                observations=observations[row, index],
                samples=samples[row, index],
                means=means[row, index],
                log_probs=log_probs[row, index],
                advantages=advantages[row, index],
                # The same environment one step later: samples are laid out step by step.
                next_observations=observations[row, index + rollout.envs_per_policy] if with_next else None,
                same_episode=_same_episode(same_episode[row, index], weights) if with_next else None,
                weights=weights,
            )


def _own_parts(batches: torch.Tensor, block: int) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
    """The samples here of minibatches that are given by joint numbers [N, batches, B]: numbers and weights [N, b]."""
    if not distributed.is_active():
        yield from ((index, None) for index in batches.unbind(dim=1))
        return
    is_here, local = distributed.locate(batches, block)
    # The one place of an epoch that waits for the device, and only with several processes.
    width = max(int(is_here.sum(dim=2).max()), 1)
    first = is_here.byte().argsort(dim=2, descending=True, stable=True)[..., :width]
    weights = is_here.gather(2, first) * (distributed.world_size() * width / batches.shape[2])
    yield from zip(local.gather(2, first).unbind(dim=1), weights.unbind(dim=1), strict=True)


def _same_episode(same_episode: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Without the rows that only fill up."""
    return same_episode if weights is None else same_episode & (weights > 0.0)
