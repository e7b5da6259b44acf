# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Fixed features in which values are linear."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cgrpo_lab.validation import require_number

LINEAR_SCALE = 0.1
"""Weight of the plain state among the features: small, so that the ridge favours the bounded cosines."""


class RandomFourierFeatures(nn.Module):
    """Random Fourier features of a state, followed by the state itself and a constant.

    ``phi(x) = [sqrt(2/F) cos(W x + b), 0.1 x, 1]`` with ``W ~ N(0, 1 / (bandwidth^2 S))`` and ``b ~ U(0, 2 pi)``.
    The inner product of the cosines approaches a Gaussian kernel (Rahimi and Recht 2007), so a value that is linear
    in them is a smooth average over nearby states: the cluster mean of eq 6 with soft edges. The plain state and the
    constant carry the trend outside the region seen so far. Nothing here is trained.
    """

    def __init__(
        self, *, num_states: int, num_cosines: int, bandwidth: float, device: torch.device, generator: torch.Generator
    ):
        """Draw the features.

        Args:
            num_states: Size ``S`` of a state.
            num_cosines: Number of cosines.
            bandwidth: Width of the kernel, in units of ``sqrt(S)``: a typical distance of normalised states.
            device: Where the features are evaluated.
            generator: Source of the draw.

        Raises:
            ValueError: If an option is out of its bounds.
        """
        super().__init__()
        require_number("num_cosines", num_cosines, at_least=1, integer=True)
        require_number("bandwidth", bandwidth, above=0.0)
        self.num_features = num_cosines + num_states + 1
        """Size ``F`` of the feature vector."""
        draw = {"generator": generator, "device": generator.device}
        frequencies = torch.randn(num_states, num_cosines, **draw) / (bandwidth * math.sqrt(num_states))
        phases = 2 * math.pi * torch.rand(num_cosines, **draw)
        self.register_buffer("frequencies", frequencies.to(device))
        self.register_buffer("phases", phases.to(device))

    def forward(self, states: Tensor) -> Tensor:
        """Evaluate the features.

        Args:
            states: Normalised states, ``[..., S]``.

        Returns:
            Features, ``[..., F]``.
        """
        amplitude = math.sqrt(2 / self.phases.numel())
        cosines = amplitude * torch.cos(states @ self.frequencies + self.phases)
        return torch.cat((cosines, LINEAR_SCALE * states, torch.ones_like(states[..., :1])), dim=-1)
