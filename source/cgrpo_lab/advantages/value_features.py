# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""All features that a closed-form value is linear in."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn

from cgrpo_lab.advantages.features import QuadraticFeatures, RandomFourierFeatures


class Encoder(Protocol):
    """Maps observations ``[..., D]`` to features ``[..., H]``; a module, so that a checkpoint holds it."""

    num_features: int
    """Size ``H`` of the features."""

    def __call__(self, observations: Tensor) -> Tensor:
        """Evaluate the features."""

    def state_dict(self) -> dict[str, Tensor]:
        """Everything the features depend on."""

    def load_state_dict(self, state: dict[str, Tensor]) -> object:
        """Become another encoder of the same sizes."""


class ValueFeatures(nn.Module):
    """Random features of a state and, if asked for, products of its entries and what a policy makes of observations."""

    def __init__(
        self, cosines: RandomFourierFeatures, products: QuadraticFeatures | None = None, encoder: Encoder | None = None
    ):
        """Join the parts.

        Args:
            cosines: Random features of a state, its entries and a constant.
            products: Products of every two entries.
            encoder: Hidden layers of a policy.
        """
        super().__init__()
        self.cosines, self.products, self.encoder = cosines, products, encoder
        parts = (part for part in (cosines, products, encoder) if part is not None)
        self.num_features = sum(part.num_features for part in parts)
        """Size ``F`` of the feature vector."""

    def forward(self, states: Tensor, observations: Tensor | None = None) -> Tensor:
        """Evaluate all features.

        Args:
            states: Normalised states, ``[..., S]``.
            observations: What the policies saw there, ``[..., D]``; read only by the encoder.

        Returns:
            Features, ``[..., F]``.
        """
        parts = [self.cosines(states)]
        if self.products is not None:
            parts.append(self.products(states))
        if self.encoder is not None:
            # As those of the cosines do, the squares sum up to about one.
            parts.append(self.encoder(observations) / math.sqrt(self.encoder.num_features))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
