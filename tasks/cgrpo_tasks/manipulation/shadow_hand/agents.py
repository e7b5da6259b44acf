# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents of the block task: CGRPO, the paper's two configurations, and PPO on the same task and budget.

All see the goal as such and relative to the block (observation group ``goal_error``). 128 hands times 32 steps make
minibatches of 1024; 370 iterations are one and a half million steps.
"""

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

GROUPS = ["policy", "goal_error"]
HIDDEN_DIMS = [256, 256]

INIT_LOG_STD = -1.2
"""With more noise in twenty joints the block hardly lies still."""

LEARNING = {
    "gamma": 0.95,
    "num_learning_epochs": 5,
    "num_mini_batches": 4,
    "learning_rate": 5.0e-4,
    "schedule": "adaptive",
}
"""Settings that all agents share."""


@configclass
class BlockCGRPORunnerCfg(CGRPORunnerCfg):
    """Default: one policy, closed-form least-squares baseline.

    States are compared by what is left to the goal, which the rewards are made of. Of all 74 observations the distance
    between two states is mostly that of joints and their velocities, and the baseline explains little.
    """

    num_steps_per_env = 32
    max_iterations = 370
    save_interval = 50
    experiment_name = "shadow_hand_block_cgrpo"
    obs_groups = {"actor": GROUPS, "state": ["goal_error"]}
    group_policy = GroupPolicyCfg(hidden_dims=HIDDEN_DIMS, activation="elu", init_log_std=INIT_LOG_STD)
    algorithm = CGRPOCfg(**LEARNING)


@configclass
class BlockCGRPOFullRunnerCfg(BlockCGRPORunnerCfg):
    """CGRPO-Full of the paper: two policies, state clusters, reference, smoothness, diversity and adaptive clip."""

    experiment_name = "shadow_hand_block_cgrpo_full"
    algorithm = CGRPOCfg(**PAPER_FULL, **LEARNING)


@configclass
class BlockCGRPOSimpleRunnerCfg(BlockCGRPORunnerCfg):
    """CGRPO-Simple of the paper: two clustered policies, state clusters, fixed clip, nothing else."""

    experiment_name = "shadow_hand_block_cgrpo_simple"
    algorithm = CGRPOCfg(**PAPER_SIMPLE, **LEARNING)


@configclass
class BlockPPORunnerCfg(PPORunnerCfg):
    """rsl_rl's PPO with our policy's network, squash, noise, normaliser, optimiser and schedule."""

    num_steps_per_env = 32
    max_iterations = 370
    save_interval = 50
    experiment_name = "shadow_hand_block_ppo"
    obs_groups = {"actor": GROUPS, "critic": ["goal_error"]}
    actor = RslRlMLPModelCfg(
        hidden_dims=HIDDEN_DIMS,
        activation="elu",
        obs_normalization=True,
        distribution_cfg=SquashedGaussianCfg(init_std=math.exp(INIT_LOG_STD)),
    )
    critic = RslRlMLPModelCfg(hidden_dims=HIDDEN_DIMS, activation="elu", obs_normalization=True)
    algorithm = PPOAlgorithmCfg(**LEARNING, reward_normalization=True)
