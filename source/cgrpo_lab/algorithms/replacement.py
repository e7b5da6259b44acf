# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The weakest policy makes room for a variation of the best (population-based training, arXiv 1711.09846)."""

import torch

from cgrpo_lab.policies import GroupPolicy


@torch.no_grad()
def replace_weakest(
    policy: GroupPolicy,
    optimizer: torch.optim.Optimizer,
    scores: torch.Tensor,
    noise: float,
    generator: torch.Generator,
) -> torch.Tensor:
    """Overwrite the weakest policy by a copy of the best, with normal noise on every parameter.

    Noise is relative to the root mean square of a layer's parameters, as layers differ in scale. The copy takes over
    the optimiser's momentum, which belongs to these parameters, and has to earn its rank: its score is the mean of all.

    Args:
        policy: The policies.
        optimizer: Their Adam optimiser.
        scores: Score of each policy, shape [N].
        noise: Standard deviation of the noise, relative to the parameters.
        generator: Source of the noise, on the device of the policies.

    Returns:
        The new scores, shape [N].
    """
    best, weakest = scores.argmax().unsqueeze(0), scores.argmin().unsqueeze(0)
    for parameter in policy.parameters():
        copy = parameter.index_select(0, best)
        draw = torch.randn(copy.shape, device=copy.device, generator=generator)
        parameter.index_copy_(0, weakest, copy + noise * copy.square().mean().sqrt() * draw)
        for moment in ("exp_avg", "exp_avg_sq"):
            values = optimizer.state[parameter][moment]
            values.index_copy_(0, weakest, values.index_select(0, best))
    return scores.index_copy(0, weakest, scores.mean().unsqueeze(0))
