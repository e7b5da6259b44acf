# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Base configurations of the agents that every task registers."""

from dataclasses import MISSING

import torch

from isaaclab.utils import configclass

from isaaclab_rl.rsl_rl import RslRlBaseRunnerCfg, RslRlMLPModelCfg, RslRlOnPolicyRunnerCfg, RslRlPpoAlgorithmCfg

from cgrpo_lab.algorithms.config import CGRPOCfg, GroupPolicyCfg
from cgrpo_lab.baselines import SkrlCfg

PAPER_SIMPLE = {"num_policies": 2, "num_groups": 2, "estimator": "state_cluster"}
"""CGRPO-Simple of the paper: two clustered policies, state clusters, fixed clip, nothing else."""

PAPER_FULL = PAPER_SIMPLE | {
    "adaptive_clip": True,
    "smoothness_coef": 0.01,
    "diversity_coef": 0.01,
    "reference_size": 1,
}
"""CGRPO-Full of the paper: the same with reference, smoothness, diversity and adaptive clip."""


def default_device() -> str:
    """Device an agent learns on unless told: the first GPU, else the CPU (stock Isaac Lab assumes a GPU)."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"


@configclass
class CGRPORunnerCfg(RslRlBaseRunnerCfg):
    """Trains CGRPO. The class name is rsl_rl's, so that Isaac Lab's own ``train`` and ``play`` accept it, too."""

    class_name: str = "OnPolicyRunner"
    device: str = default_device()
    obs_groups: dict[str, list[str]] = {"actor": ["policy"]}
    algorithm: CGRPOCfg = CGRPOCfg()
    group_policy: GroupPolicyCfg = GroupPolicyCfg()


@configclass
class PPORunnerCfg(RslRlOnPolicyRunnerCfg):
    """Trains rsl_rl's PPO with the same squashed policy as ours."""

    device: str = default_device()
    obs_groups: dict[str, list[str]] = {"actor": ["policy"], "critic": ["policy"]}


@configclass
class SkrlRunnerCfg(RslRlBaseRunnerCfg):
    """Trains an agent of skrl behind rsl_rl's interface."""

    class_name: str = "OnPolicyRunner"
    device: str = default_device()
    obs_groups: dict[str, list[str]] = {"actor": ["policy"]}
    algorithm: SkrlCfg = MISSING


@configclass
class SquashedGaussianCfg(RslRlMLPModelCfg.GaussianDistributionCfg):
    """Distribution of the group policies, for rsl_rl's models."""

    class_name: str = "cgrpo_lab.policies.squashed_gaussian:SquashedGaussianDistribution"
    std_type: str = "log"


@configclass
class PPOAlgorithmCfg(RslRlPpoAlgorithmCfg):
    """rsl_rl's PPO in our subclass, which knows ``schedule="linear"`` beside rsl_rl's ``adaptive`` and ``fixed``.

    What tasks do not set is as in Isaac Lab's own PPO agents, without the entropy bonus, which ours lack, too.
    """

    class_name: str = "cgrpo_lab.algorithms.ppo:PPO"
    value_loss_coef: float = 1.0
    use_clipped_value_loss: bool = True
    clip_param: float = 0.2
    entropy_coef: float = 0.0
    lam: float = 0.95
    desired_kl: float = 0.01
    max_grad_norm: float = 1.0

    reward_normalization: bool = False
    """Whether rewards are divided by the running standard deviation of the discounted return."""

    orthogonal_init: bool = False
    """Whether the networks start as the group policies do, orthogonal with a small last layer, and not as PyTorch's."""
