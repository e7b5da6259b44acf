# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents of the reaching task: CGRPO, the paper's two configurations, and PPO on the same task and budget."""

import math

from isaaclab.utils import configclass

from isaaclab_rl.rsl_rl import RslRlMLPModelCfg

from cgrpo_lab.algorithms.config import CGRPOCfg, GroupPolicyCfg
from cgrpo_tasks.agents import (
    PAPER_FULL,
    PAPER_SIMPLE,
    CGRPORunnerCfg,
    PPOAlgorithmCfg,
    PPORunnerCfg,
    SquashedGaussianCfg,
)

LEARNING = {
    "gamma": 0.95,
    "num_learning_epochs": 5,
    "num_mini_batches": 4,
    "learning_rate": 1.0e-3,
    "schedule": "adaptive",
}
"""Settings that all agents share: those of Isaac Lab's PPO for this task."""


@configclass
class FrankaReachCGRPORunnerCfg(CGRPORunnerCfg):
    """Default: one policy, closed-form least-squares baseline."""

    num_steps_per_env = 24
    max_iterations = 600
    save_interval = 50
    experiment_name = "franka_reach_cgrpo"
    group_policy = GroupPolicyCfg(hidden_dims=[64, 64], activation="elu", init_log_std=-0.7)
    algorithm = CGRPOCfg(**LEARNING)


@configclass
class FrankaReachCGRPOFullRunnerCfg(FrankaReachCGRPORunnerCfg):
    """CGRPO-Full of the paper: two policies, state clusters, reference, smoothness, diversity and adaptive clip."""

    experiment_name = "franka_reach_cgrpo_full"
    algorithm = CGRPOCfg(**PAPER_FULL, **LEARNING)


@configclass
class FrankaReachCGRPOSimpleRunnerCfg(FrankaReachCGRPORunnerCfg):
    """CGRPO-Simple of the paper: two clustered policies, state clusters, fixed clip, nothing else."""

    experiment_name = "franka_reach_cgrpo_simple"
    algorithm = CGRPOCfg(**PAPER_SIMPLE, **LEARNING)


@configclass
class FrankaReachPPORunnerCfg(PPORunnerCfg):
    """rsl_rl's PPO with Isaac Lab's settings for Franka reach and our policy's squash, noise and normaliser."""

    num_steps_per_env = 24
    max_iterations = 600
    save_interval = 50
    experiment_name = "franka_reach_ppo"
    actor = RslRlMLPModelCfg(
        hidden_dims=[64, 64],
        activation="elu",
        obs_normalization=True,
        distribution_cfg=SquashedGaussianCfg(init_std=math.exp(-0.7)),
    )
    critic = RslRlMLPModelCfg(hidden_dims=[64, 64], activation="elu", obs_normalization=True)
    algorithm = PPOAlgorithmCfg(**LEARNING)
