# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Diagonal Gaussian densities over actions, as pure functions.

With a squashed policy the sample u is Gaussian and the executed action is a = tanh(u). Ratios of densities, KL
divergences and the clipped surrogate are the same for u and for a (tanh is one-to-one and its Jacobian cancels), so
everything here is about u.
"""

import math

import torch

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def log_prob(samples: torch.Tensor, mean: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
    """Log-density of samples, summed over the action dimension.

    Args:
        samples: Pre-squash samples u, shape [..., A].
        mean: Mean of the distribution, shape [..., A].
        log_std: Logarithm of the standard deviation, broadcastable to [..., A]
            except that its last dimension is A.

    Returns:
        Log-densities, shape [...].
    """
    z = (samples - mean) * torch.exp(-log_std)
    return -0.5 * (z * z).sum(dim=-1) - (log_std + HALF_LOG_2PI).sum(dim=-1)


def entropy(log_std: torch.Tensor) -> torch.Tensor:
    """Differential entropy of diagonal Gaussians [nat], shape [..., A] -> [...]."""
    return (log_std + 0.5 + HALF_LOG_2PI).sum(dim=-1)


def kl_divergence(
    mean_p: torch.Tensor, log_std_p: torch.Tensor, mean_q: torch.Tensor, log_std_q: torch.Tensor
) -> torch.Tensor:
    """KL(p || q) of diagonal Gaussians [nat], shapes broadcastable to [..., A] -> [...]."""
    variance_ratio = torch.exp(2.0 * (log_std_p - log_std_q))
    distance = (mean_p - mean_q) ** 2 * torch.exp(-2.0 * log_std_q)
    return (log_std_q - log_std_p + 0.5 * (variance_ratio + distance - 1.0)).sum(dim=-1)
