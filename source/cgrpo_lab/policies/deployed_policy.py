# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""One policy of a group with the interface that rsl_rl's runners, players and exporters expect of a model."""

import copy

import torch
from tensordict import TensorDict
from torch import nn

from cgrpo_lab.policies.group_policy import GroupPolicy


class DeployedPolicy(nn.Module):
    """Deterministic policy ``index`` of a group: the counterpart of :class:`rsl_rl.models.MLPModel` at inference."""

    is_recurrent = False

    def __init__(self, group: GroupPolicy, index: int, obs_groups: list[str]) -> None:
        """Wrap policy ``index``; observation groups named in ``obs_groups`` are concatenated in that order."""
        super().__init__()
        self.group, self.index, self.obs_groups = group, index, list(obs_groups)

    def forward(self, obs: TensorDict) -> torch.Tensor:
        """Deterministic actions for observation groups of shape [B, ...] -> [B, A]."""
        x = torch.cat([obs[name] for name in self.obs_groups], dim=-1)
        x = x.unsqueeze(0).expand(self.group.num_policies, -1, -1)
        return self.group.to_action(self.group(x)[self.index])

    def reset(self, dones: torch.Tensor | None = None) -> None:
        """Nothing to reset: the policy has no memory."""

    @property
    def output_std(self) -> torch.Tensor:
        """Standard deviation before squashing, shape [A]."""
        return self.group.log_std[self.index].exp()

    def as_jit(self) -> nn.Module:
        """Single-policy module for TorchScript."""
        return ExportedPolicy(self.group.obs_normalizer, self._layers(), self.group.obs_dim)

    def as_onnx(self, verbose: bool = False) -> nn.Module:
        """Single-policy module for ONNX."""
        return self.as_jit()

    def _layers(self) -> nn.Sequential:
        """Network and squash, the parameters of policy ``index`` copied out of the stacked tensors."""
        layers: list[nn.Module] = []
        for weight, bias in zip(self.group.weights, self.group.biases, strict=True):
            linear = nn.Linear(weight.shape[1], weight.shape[2])
            linear.weight.data.copy_(weight[self.index].detach().T)
            linear.bias.data.copy_(bias[self.index, 0].detach())
            layers += [linear, type(self.group.activation)()]
        layers[-1] = nn.Tanh() if self.group.squash else nn.Identity()
        return nn.Sequential(*layers)


class ExportedPolicy(nn.Module):
    """Normaliser, network and squash of one policy as a plain stack of layers, [B, D] -> [B, A]."""

    is_recurrent: bool = False

    def __init__(self, obs_normalizer: nn.Module, layers: nn.Sequential, input_size: int) -> None:
        """Copy a normaliser [B, D] -> [B, D] and layers [B, D] -> [B, A] to the CPU; ``input_size`` is D."""
        super().__init__()
        self.obs_normalizer = copy.deepcopy(obs_normalizer).cpu()
        self.layers = copy.deepcopy(layers).cpu()
        self.input_size = input_size

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        """Deterministic action for raw observations, [B, D] -> [B, A]."""
        return self.layers(self.obs_normalizer(obs))

    @torch.jit.export
    def reset(self) -> None:
        """Nothing to reset: the policy has no memory."""

    def get_dummy_inputs(self) -> tuple[torch.Tensor]:
        """Example input for tracing."""
        return (torch.zeros(1, self.input_size),)

    @property
    def input_names(self) -> list[str]:
        """Names of the ONNX inputs."""
        return ["obs"]

    @property
    def output_names(self) -> list[str]:
        """Names of the ONNX outputs."""
        return ["actions"]
