# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Features in which values are linear."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cgrpo_lab.advantages.metric import square_root
from cgrpo_lab.validation import ConfigError, require_number

LINEAR_SCALE = 0.1
"""Weight of the plain state among the features: small, so that the ridge favours the bounded cosines."""


QUADRATIC_CLIP = 5.0
"""Products of entries are taken within so many standard deviations: squares of outliers would outweigh all others."""

MAX_PRODUCTS = 4096
"""Most products of two entries: the sums of the fit are matrices of their number squared (134 MB)."""


class RandomFourierFeatures(nn.Module):
    """Random Fourier features of a state, followed by the state itself and a constant.

    ``phi(x) = [sqrt(2/F) cos(W x + b), 0.1 x, 1]`` with ``W ~ N(0, 1 / (bandwidth^2 S))`` and ``b ~ U(0, 2 pi)``.
    The inner product of the cosines approaches a Gaussian kernel (Rahimi and Recht 2007), so a value that is linear
    in them is a smooth average over nearby states: the cluster mean of eq 6 with soft edges. The plain state and the
    constant carry the trend outside the region seen so far. Nothing here is trained by gradient descent;
    :meth:`set_metric` lets some directions count more.
    """

    def __init__(
        self,
        *,
        num_states: int,
        num_cosines: int,
        bandwidth: float | Sequence[float],
        device: torch.device,
        generator: torch.Generator,
    ):
        """Draw the features.

        Args:
            num_states: Size ``S`` of a state.
            num_cosines: Number of cosines; 0 leaves the state and the constant.
            bandwidth: Width of the kernel, in units of ``sqrt(S)``: a typical distance of normalised states. Of several
                widths each gets an equal part of the cosines: the kernel is then their mean.
            device: Where the features are evaluated.
            generator: Source of the draw.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        super().__init__()
        require_number("num_cosines", num_cosines, at_least=0, integer=True)
        bandwidths = list(bandwidth) if isinstance(bandwidth, Sequence) and bandwidth else [bandwidth]
        for width in bandwidths:
            require_number("bandwidth", width, above=0.0)
        self.num_features = num_cosines + num_states + 1
        """Size ``F`` of the feature vector."""
        draw = {"generator": generator, "device": generator.device}
        widths = torch.tensor(bandwidths, device=generator.device)[torch.arange(num_cosines) % len(bandwidths)]
        directions = torch.randn(num_states, num_cosines, **draw) / (widths * math.sqrt(num_states))
        phases = 2 * math.pi * torch.rand(num_cosines, **draw)
        self.register_buffer("directions", directions.to(device))
        self.register_buffer("frequencies", directions.to(device, copy=True))
        self.register_buffer("phases", phases.to(device))

    def set_metric(self, metric: Tensor) -> None:
        """Measure distances by ``(x - x')^T M (x - x')``: the kernel becomes Gaussian in these, with the same draw.

        Args:
            metric: Symmetric positive definite ``M``, ``[S, S]``.
        """
        root = square_root(metric).to(self.directions.dtype)
        self.frequencies.copy_(root @ self.directions)

    def forward(self, states: Tensor) -> Tensor:
        """Evaluate the features.

        Args:
            states: Normalised states, ``[..., S]``.

        Returns:
            Features, ``[..., F]``.
        """
        amplitude = math.sqrt(2 / max(self.phases.numel(), 1))
        cosines = amplitude * torch.cos(states @ self.frequencies + self.phases)
        return torch.cat((cosines, LINEAR_SCALE * states, torch.ones_like(states[..., :1])), dim=-1)


class QuadraticFeatures(nn.Module):
    """Products of every two entries of a state, squares included, ``sqrt(2) / (S + 1) x_i x_j``.

    With the plain state and the constant of :class:`RandomFourierFeatures` a value is a polynomial of second degree. As
    those of its cosines do, their squares sum up to about one for normalised states.
    """

    def __init__(self, *, num_states: int, device: torch.device):
        """List the pairs.

        Args:
            num_states: Size ``S`` of a state.
            device: Where the features are evaluated.

        Raises:
            ValueError: If there are more than ``MAX_PRODUCTS``.
        """
        super().__init__()
        self.num_features = num_states * (num_states + 1) // 2
        """Number of products."""
        if self.num_features > MAX_PRODUCTS:
            raise ConfigError(
                f"quadratic = True cannot be used: {num_states} entries of a state have {self.num_features} products,"
                f" at most {MAX_PRODUCTS} can be fitted; give false, or compare fewer entries (agent.obs_groups.state)"
            )
        self.scale = math.sqrt(2) / (num_states + 1)
        self.register_buffer("pairs", torch.triu_indices(num_states, num_states, device=device), persistent=False)

    def forward(self, states: Tensor) -> Tensor:
        """Evaluate the features.

        Args:
            states: Normalised states, ``[..., S]``.

        Returns:
            Products, ``[..., S (S + 1) / 2]``.
        """
        states = states.clamp(-QUADRATIC_CLIP, QUADRATIC_CLIP)
        first, second = self.pairs
        return self.scale * states[..., first] * states[..., second]
