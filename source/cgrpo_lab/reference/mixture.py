# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The reference policy: an equal-weight mixture of the best policies of the group (Algorithm 1, line 33)."""

import copy
import math

import torch
from torch import nn

from cgrpo_lab.policies import GroupPolicy, gaussian


class MixtureReference(nn.Module):
    """Frozen copies of the M best policies; its density is the mean of theirs.

    The paper says "mixture of top-performing policies" without weights; we take equal weights, and the density of the
    mixture (not an average of parameters, which is no mixture).
    """

    def __init__(self, policy: GroupPolicy, size: int) -> None:
        """Start as a copy of the first ``size`` policies.

        Args:
            policy: The group that is followed.
            size: Number of mixed policies M.

        Raises:
            ValueError: If ``size`` is not between 1 and the number of policies.
        """
        if not 1 <= size <= policy.num_policies:
            raise ValueError(f"reference_size={size}: must be between 1 and num_policies={policy.num_policies}.")
        super().__init__()
        self.size = size
        self.members = copy.deepcopy(policy)
        self.members.num_policies = size
        for module in (self.members.weights, self.members.biases):
            for i, stacked in enumerate(module):
                module[i] = nn.Parameter(stacked.detach()[:size].clone(), requires_grad=False)
        self.members.log_std_param = nn.Parameter(policy.log_std_param.detach()[:size].clone(), requires_grad=False)

    @torch.no_grad()
    def update(self, policy: GroupPolicy, scores: torch.Tensor) -> None:
        """Copy the ``size`` policies with the highest ``scores`` [N]."""
        best = scores.topk(self.size).indices
        for mine, theirs in zip(self.members.parameters(), policy.parameters(), strict=True):
            mine.copy_(theirs.index_select(0, best))
        for mine, theirs in zip(self.members.buffers(), policy.buffers(), strict=True):
            mine.copy_(theirs)

    def log_prob(self, obs: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """Log-density of the mixture at pre-squash samples, [N, B, D], [N, B, A] -> [N, B]."""
        everyone = obs.flatten(0, 1).expand(self.size, -1, -1)
        mean = self.members(everyone)
        each = gaussian.log_prob(samples.flatten(0, 1), mean, self.members.log_std.unsqueeze(1))
        return (torch.logsumexp(each, dim=0) - math.log(self.size)).view(samples.shape[:2])
