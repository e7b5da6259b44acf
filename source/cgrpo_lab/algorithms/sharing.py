# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Policies that learn from the samples of one another.

A sample (s, u) that policy j drew counts for policy i by the truncated importance weight

    ``w = min(1, pi_i(u | s) / pi_j(u | s))``,

both densities those from before the update (truncation at one as in IMPALA, Espeholt et al. 2018, arXiv 1802.01561).
What is far from policy i's own behaviour thus counts little, and its own samples count fully. The clipped surrogate
of eq 8 then bounds how far policy i moves from what it was, whoever drew the sample.

With ``leader`` only the best policy learns from all and the others, its followers, from themselves: they stay different
from it and explore for it (SAPG, Singla et al. 2024, arXiv 2407.20230, whose leader is a fixed one).
"""

from dataclasses import dataclass

import torch

from cgrpo_lab import distributed
from cgrpo_lab.policies import GroupPolicy
from cgrpo_lab.rollouts import GroupRollout


@dataclass
class SharedExperience:
    """How everybody's samples look to each of N policies; sample j * P + p is the p-th of the P of policy j."""

    log_probs: torch.Tensor
    """Log-probability of every sample under every policy before the update, [N, N * P]."""
    weights: torch.Tensor
    """Weight of every sample for every policy, [N, N * P]; a policy's mean over all samples is one."""
    foreign_share: torch.Tensor
    """Weight of others' samples for the policies that learn from them, in numbers of own samples; 0-dim."""


def leader_mask(scores: torch.Tensor) -> torch.Tensor:
    """Which policy leads: the one with the highest score, [N] -> [N] bool."""
    return torch.arange(len(scores), device=scores.device) == scores.argmax()


@torch.no_grad()
def share(policy: GroupPolicy, rollout: GroupRollout, learns: torch.Tensor) -> SharedExperience:
    """Weigh everybody's samples for everybody.

    Args:
        policy: The policies as they were when they collected the rollout.
        rollout: Finished rollout.
        learns: Policies that learn from others' samples, too, [N] bool.
    """
    inputs = rollout.per_policy(rollout.inputs[:-1])
    samples = rollout.per_policy(rollout.samples)
    count, size = policy.num_policies, samples.shape[1]
    # One collector after the other: all at once would hold N times the activations.
    log_probs = torch.cat(
        [
            policy.log_prob(drawn.expand(count, -1, -1), policy.distribution(seen.expand(count, -1, -1))[0])
            for seen, drawn in zip(inputs, samples, strict=True)
        ],
        dim=1,
    )
    weights = (log_probs - rollout.per_policy(rollout.log_probs).flatten()).clamp(max=0.0).exp()
    own = torch.eye(count, dtype=torch.bool, device=weights.device).repeat_interleave(size, dim=1)
    weights = torch.where(own | learns.unsqueeze(1), weights, torch.zeros_like(weights))
    foreign = distributed.all_mean(weights.masked_fill(own, 0.0).sum(dim=1)) / size
    mean = distributed.all_mean(weights.mean(dim=1, keepdim=True))
    return SharedExperience(log_probs, weights / mean, foreign.sum() / learns.sum())
