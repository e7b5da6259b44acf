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
        # It looks at normalised observations only.
        self.members.obs_normalizer = nn.Identity()
        self.members.vectors = nn.Parameter(policy.vectors.detach()[:size].clone(), requires_grad=False)

    @torch.no_grad()
    def update(self, policy: GroupPolicy, scores: torch.Tensor) -> None:
        """Copy the ``size`` policies with the highest ``scores`` [N]."""
        self.members.vectors.copy_(policy.vectors.index_select(0, scores.topk(self.size).indices))

    def log_prob(self, inputs: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """Log-density of the mixture at pre-squash samples.

        Args:
            inputs: Normalised observations, shape [N, B, D]; see :meth:`GroupPolicy.distribution`.
            samples: Pre-squash samples, shape [N, B, A].

        Returns:
            Log-densities, shape [N, B].
        """
        mean, log_std = self.members.distribution(inputs.flatten(0, 1).expand(self.size, -1, -1))
        each = gaussian.log_prob(samples.flatten(0, 1), mean, log_std.unsqueeze(1))
        return (torch.logsumexp(each, dim=0) - math.log(self.size)).view(samples.shape[:2])
