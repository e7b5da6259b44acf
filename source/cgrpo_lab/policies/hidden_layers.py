# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a policy makes of its observations before its last layer, at one moment of training."""

import copy
from collections.abc import Iterable

import torch
from torch import nn

from cgrpo_lab.policies.group_policy import GroupPolicy
from cgrpo_lab.validation import ConfigError


class HiddenLayers(nn.Module):
    """Frozen copy of the normaliser and the hidden layers of one policy of a group."""

    def __init__(self, policy: GroupPolicy, index: int = 0) -> None:
        """Copy policy ``index`` as it is now.

        Raises:
            ConfigError: If the policies have no hidden layer.
        """
        super().__init__()
        if len(policy.weights) < 2:
            raise ConfigError("hidden_dims=[]: there is no hidden layer whose features could be used; add one.")
        self.normalizer = copy.deepcopy(policy.obs_normalizer).eval()
        self.activation = policy.activation
        self.weights = _frozen(weight[index] for weight in policy.weights[:-1])
        self.biases = _frozen(bias[index, 0] for bias in policy.biases[:-1])
        self.num_features = self.weights[-1].shape[1]
        """Size ``H`` of the last hidden layer."""

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Activations of the last hidden layer for raw observations, [..., D] -> [..., H]."""
        x = self.normalizer(observations)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = self.activation(x @ weight + bias)
        return x


def _frozen(tensors: Iterable[torch.Tensor]) -> nn.ParameterList:
    """Copies that are part of the state, but not trained."""
    return nn.ParameterList(nn.Parameter(tensor.detach().clone(), requires_grad=False) for tensor in tensors)
