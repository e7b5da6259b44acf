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
        return ExportedPolicy(self.group, self.index)

    def as_onnx(self, verbose: bool = False) -> nn.Module:
        """Single-policy module for ONNX."""
        return ExportedPolicy(self.group, self.index)


class ExportedPolicy(nn.Module):
    """Normaliser, network and squash of one policy as a plain stack of layers, [B, D] -> [B, A]."""

    is_recurrent: bool = False

    def __init__(self, group: GroupPolicy, index: int) -> None:
        """Copy the parameters of policy ``index`` out of the stacked tensors."""
        super().__init__()
        self.obs_normalizer = copy.deepcopy(group.obs_normalizer).cpu()
        layers: list[nn.Module] = []
        for weight, bias in zip(group.weights, group.biases, strict=True):
            linear = nn.Linear(weight.shape[1], weight.shape[2])
            linear.weight.data.copy_(weight[index].detach().T)
            linear.bias.data.copy_(bias[index, 0].detach())
            layers += [linear, type(group.activation)()]
        layers[-1] = nn.Tanh() if group.squash else nn.Identity()
        self.layers = nn.Sequential(*layers)
        self.input_size = group.obs_dim

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
