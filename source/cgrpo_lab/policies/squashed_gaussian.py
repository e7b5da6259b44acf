# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The group policy's tanh-squashed Gaussian as an rsl_rl distribution, so that PPO can be compared on equal terms."""

import torch
from rsl_rl.modules.distribution import GaussianDistribution
from torch import nn


class SquashedGaussianDistribution(GaussianDistribution):
    """Gaussian u with executed action a = tanh(u), for :class:`rsl_rl.models.MLPModel`.

    rsl_rl stores the executed action, so the pre-squash sample is recovered with atanh. Densities are those of u: the
    Jacobian of tanh does not depend on the parameters and cancels in PPO's ratio. Entropy, mean and standard deviation
    are those of u, too. Use it as ``distribution_cfg.class_name``.
    """

    LIMIT = 1.0 - 1.0e-6
    """Largest magnitude of an action that atanh is applied to (float32 keeps it finite)."""

    def sample(self) -> torch.Tensor:
        """Draw actions in (-1, 1), shape [B, A]."""
        return torch.tanh(super().sample())

    def log_prob(self, outputs: torch.Tensor) -> torch.Tensor:
        """Log-density of the pre-squash sample behind each action, [B, A] -> [B]."""
        return super().log_prob(torch.atanh(outputs.clamp(-self.LIMIT, self.LIMIT)))

    def deterministic_output(self, mlp_output: torch.Tensor) -> torch.Tensor:
        """Action of the mean, [B, A] -> [B, A]."""
        return torch.tanh(mlp_output)

    def as_deterministic_output_module(self) -> nn.Module:
        """Module that turns the network's output into the action, for export."""
        return nn.Tanh()
