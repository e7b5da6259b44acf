# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""A metric of states that is learned from a value: directions in which the value changes count more.

The average gradient outer product of recursive feature machines (Radhakrishnan, Beaglehole, Pandit and Belkin,
*Mechanism for feature learning in neural networks and backpropagation-free machine learning models*, Science 383,
2024): what layers of a network learn by gradient descent, in closed form.
"""

from collections.abc import Callable

import torch
from torch import Tensor

ISOTROPIC_SHARE = 0.1
"""Share of the metric that stays the same in all directions, so that one that matters later is not lost."""


def gradient_outer_product(value: Callable[[Tensor, Tensor], Tensor], states: Tensor, observations: Tensor) -> Tensor:
    """Mean of ``grad V(s) grad V(s)^T`` over states.

    Args:
        value: Differentiable value of states and observations, ``[P, S]`` and ``[P, D]`` -> ``[P]``.
        states: Where to take the gradient, ``[P, S]``.
        observations: What belongs to the states, ``[P, D]``; held constant.

    Returns:
        The mean, ``[S, S]`` float64.
    """
    with torch.enable_grad():
        states = states.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(value(states, observations).sum(), states)
    gradient = gradient.double()
    return gradient.T @ gradient / len(gradient)


def metric_from(outer_product: Tensor) -> Tensor:
    """Metric ``M`` for distances ``(s - s')^T M (s - s')``: the outer product, mixed with the identity at its scale.

    Args:
        outer_product: That of :func:`gradient_outer_product`, ``[S, S]``.

    Returns:
        Symmetric positive definite matrix of trace ``S``, ``[S, S]``; the identity where no gradient says anything.
    """
    size = len(outer_product)
    identity = torch.eye(size, dtype=outer_product.dtype, device=outer_product.device)
    scaled = outer_product * (size / outer_product.trace())
    scaled = torch.where(scaled.isfinite().all(), scaled, identity)
    return (1.0 - ISOTROPIC_SHARE) * scaled + ISOTROPIC_SHARE * identity


def square_root(metric: Tensor) -> Tensor:
    """Symmetric square root of a metric, ``[S, S]``."""
    values, vectors = torch.linalg.eigh(metric)
    return (vectors * values.clamp_min(0.0).sqrt()) @ vectors.T
