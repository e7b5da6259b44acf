# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""A baseline's deterministic policy with the interface that runners, players and exporters expect of a model."""

import torch
from rsl_rl.modules import EmpiricalNormalization
from tensordict import TensorDict
from torch import nn

from cgrpo_lab.policies.deployed_policy import ExportedPolicy


class DeployedPolicy(nn.Module):
    """Counterpart of :class:`cgrpo_lab.policies.DeployedPolicy` for one network, whose parameters it shares."""

    is_recurrent = False

    def __init__(
        self,
        obs_normalizer: EmpiricalNormalization,
        layers: nn.Sequential,
        obs_groups: list[str],
        output_std: torch.Tensor,
    ) -> None:
        """Wrap a network.

        Args:
            obs_normalizer: Normaliser, [B, D] -> [B, D].
            layers: From normalised observation to deterministic action, [B, D] -> [B, A].
            obs_groups: Observation groups that are concatenated in this order.
            output_std: Standard deviation of the training policy's actions, shape [A].
        """
        super().__init__()
        self.obs_normalizer, self.layers = obs_normalizer, layers
        self.obs_groups, self.output_std = list(obs_groups), output_std

    def forward(self, obs: TensorDict) -> torch.Tensor:
        """Deterministic actions for observation groups of shape [B, ...] -> [B, A]."""
        x = torch.cat([obs[name] for name in self.obs_groups], dim=-1)
        return self.layers(self.obs_normalizer(x))

    def reset(self, dones: torch.Tensor | None = None) -> None:
        """Nothing to reset: the policy has no memory."""

    def as_jit(self) -> nn.Module:
        """Module for TorchScript."""
        normalizer = EmpiricalNormalization(self.obs_normalizer.mean.shape)
        normalizer.load_state_dict(self.obs_normalizer.state_dict())
        return ExportedPolicy(normalizer, self.layers, normalizer.mean.numel())

    def as_onnx(self, verbose: bool = False) -> nn.Module:
        """Module for ONNX."""
        return self.as_jit()
