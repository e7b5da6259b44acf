# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Minibatches of a group: as many samples of every policy, drawn without replacement once per epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from cgrpo_lab import distributed
from cgrpo_lab.algorithms.sharing import SharedExperience
from cgrpo_lab.rollouts import GroupRollout


@dataclass
class MiniBatch:
    """B samples for every policy; see :class:`GroupRollout` for the fields."""

    observations: torch.Tensor
    """Normalised, [N, B, D]."""
    samples: torch.Tensor
    """[N, B, A]."""
    noise: torch.Tensor
    """Standard normal noise behind the samples, [N, B, A]."""
    log_probs: torch.Tensor
    """Log-probabilities under the policy that learns from the sample, before the update, [N, B]."""
    advantages: torch.Tensor
    """[N, B]."""
    next_observations: torch.Tensor | None
    """[N, B, D], only where the smoothness penalty asks for it."""
    same_episode: torch.Tensor | None
    """[N, B], likewise."""
    weights: torch.Tensor | None
    """[N, B]; None for equal ones. ``(x * weights).mean(dim=1)`` is the mean over the minibatch. Where policies share
    experience these are importance weights. With several processes a minibatch is drawn from the samples of all, so
    policies have different numbers of them here: rows are filled up with weight 0, and the mean over the processes is
    the mean over the minibatch."""


def mini_batches(
    rollout: GroupRollout,
    advantages: torch.Tensor,
    log_std: torch.Tensor,
    *,
    num_epochs: int,
    num_mini_batches: int,
    with_next: bool,
    generator: torch.Generator,
    shared: SharedExperience | None = None,
) -> Iterator[MiniBatch]:
    """Every sample once per epoch for every policy that learns from it, in an order of its own for each policy.

    Args:
        rollout: Finished rollout.
        advantages: Normalised advantages, shape [N, T * M].
        log_std: Log standard deviations that the samples were drawn with, shape [N, A].
        num_epochs: Passes over the samples.
        num_mini_batches: Minibatches per pass; samples that do not fill the last one are left out of that pass.
        with_next: Whether the following observations are needed.
        generator: Source of the order, on the rollout's device.
        shared: Weights of everybody's samples; None lets every policy learn from its own.
    """
    table, widths = _table(rollout, advantages, log_std, with_next)
    policies, own = advantages.shape
    joint = own * distributed.world_size()
    pool = joint if shared is None else policies * joint
    size = pool // num_mini_batches
    # Numbers of the first samples a policy may draw: its own ones, or the first of all.
    first = joint * torch.arange(policies, device=table.device).unsqueeze(1) if shared is None else 0
    for _ in range(num_epochs):
        order = first + torch.rand(policies, pool, device=table.device, generator=generator).argsort(dim=1)
        batches = order[:, : size * num_mini_batches].view(policies, num_mini_batches, size)
        for index, weights in _own_parts(batches, rollout.envs_per_policy, own):
            rows = table.index_select(0, index.flatten()).view(*index.shape, -1).split(widths, dim=2)
            observations, samples, noise, log_probs, batch_advantages, *following = rows
            log_probs = log_probs.squeeze(2)
            if shared is not None:
                log_probs, importance = shared.log_probs.gather(1, index), shared.weights.gather(1, index)
                weights = importance if weights is None else weights * importance
            yield MiniBatch(
                observations=observations,
                samples=samples,
                noise=noise,
                log_probs=log_probs,
                advantages=batch_advantages.squeeze(2),
                next_observations=following[0] if with_next else None,
                same_episode=_same_episode(following[1].squeeze(2) > 0.0, weights) if with_next else None,
                weights=weights,
            )


def _table(
    rollout: GroupRollout, advantages: torch.Tensor, log_std: torch.Tensor, with_next: bool
) -> tuple[torch.Tensor, list[int]]:
    """All samples, one a row, so that a minibatch is one look-up: [N * T * M, columns] and the fields' widths."""
    observations = rollout.per_policy(rollout.inputs)
    samples, means = rollout.per_policy(rollout.samples), rollout.per_policy(rollout.means)
    noise = (samples - means) / log_std.exp().unsqueeze(1)
    log_probs = rollout.per_policy(rollout.log_probs)
    fields = [observations[:, : samples.shape[1]], samples, noise, log_probs.unsqueeze(2), advantages.unsqueeze(2)]
    if with_next:
        # The same environment one step later: samples are laid out step by step.
        same_episode = (~rollout.per_policy(rollout.dones)).float()
        fields += [observations[:, rollout.envs_per_policy :], same_episode.unsqueeze(2)]
    return torch.cat(fields, dim=2).flatten(0, 1), [field.shape[2] for field in fields]


def _own_parts(batches: torch.Tensor, block: int, own: int) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
    """The samples here of minibatches that are given by joint numbers [N, batches, B]: numbers and weights [N, b].

    Samples are numbered policy by policy, of which each has ``own`` ones here.
    """
    if not distributed.is_active():
        yield from ((index, None) for index in batches.unbind(dim=1))
        return
    joint = own * distributed.world_size()
    is_here, local = distributed.locate(batches % joint, block)
    local += batches // joint * own
    # The one place of an epoch that waits for the device, and only with several processes.
    width = max(int(is_here.sum(dim=2).max()), 1)
    first = is_here.byte().argsort(dim=2, descending=True, stable=True)[..., :width]
    weights = is_here.gather(2, first) * (distributed.world_size() * width / batches.shape[2])
    yield from zip(local.gather(2, first).unbind(dim=1), weights.unbind(dim=1), strict=True)


def _same_episode(same_episode: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Without the rows that only fill up."""
    return same_episode if weights is None else same_episode & (weights > 0.0)
