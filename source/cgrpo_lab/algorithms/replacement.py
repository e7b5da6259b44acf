# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The weakest policy makes room for a variation of the best (population-based training, arXiv 1711.09846)."""

import torch

from cgrpo_lab.algorithms.group_adam import GroupAdam
from cgrpo_lab.policies import GroupPolicy


@torch.no_grad()
def replace_weakest(
    policy: GroupPolicy,
    optimizer: GroupAdam,
    scores: torch.Tensor,
    noise: float,
    generator: torch.Generator,
) -> torch.Tensor:
    """Overwrite the weakest policy by a copy of the best, with normal noise on every parameter.

    Noise is relative to the root mean square of a layer's parameters, as layers differ in scale. The copy takes over
    the optimiser's momentum, which belongs to these parameters, and has to earn its rank: its score is the mean of all.

    Policies with equal scores, as without any reward yet, stay what they are.

    Args:
        policy: The policies.
        optimizer: Their optimiser.
        scores: Score of each policy, shape [N].
        noise: Standard deviation of the noise, relative to the parameters.
        generator: Source of the noise, on the device of the policies.

    Returns:
        The new scores, shape [N].
    """
    best, weakest = scores.argmax().unsqueeze(0), scores.argmin().unsqueeze(0)
    noise = noise * (best != weakest)
    copies = []
    for part in policy.split(policy.vectors.index_select(0, best)):
        draw = torch.randn(part.shape, device=part.device, generator=generator)
        copies.append((part + noise * part.square().mean().sqrt() * draw).flatten(1))
    policy.vectors.index_copy_(0, weakest, torch.cat(copies, dim=1))
    policy.limit_noise()
    for moment in (optimizer.mean, optimizer.square):
        moment.index_copy_(0, weakest, moment.index_select(0, best))
    return scores.index_copy(0, weakest, scores.mean().unsqueeze(0))
