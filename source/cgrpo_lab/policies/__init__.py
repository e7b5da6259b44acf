# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Policies: the stacked Gaussian group, one of its members for deployment, and its distribution for rsl_rl's PPO."""

from cgrpo_lab.policies.deployed_policy import DeployedPolicy, ExportedPolicy
from cgrpo_lab.policies.group_policy import GroupPolicy
from cgrpo_lab.policies.hidden_layers import HiddenLayers
from cgrpo_lab.policies.squashed_gaussian import SquashedGaussianDistribution

__all__ = ["DeployedPolicy", "ExportedPolicy", "GroupPolicy", "HiddenLayers", "SquashedGaussianDistribution"]
