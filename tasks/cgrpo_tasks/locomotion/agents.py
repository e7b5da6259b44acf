# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents of the locomotion tasks: CGRPO, the paper's two configurations, and PPO on the same task and budget.

64 envs times 32 steps make minibatches of 256; 490 iterations are a million steps.
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

INIT_LOG_STD = -0.5
"""More noise turns robots over in the first 100k steps, and what they learn on their backs they keep."""

LEARNING = {
    "gamma": 0.99,
    "num_learning_epochs": 10,
    "num_mini_batches": 8,
    "learning_rate": 5.0e-4,
    "schedule": "linear",
}
"""Settings that all agents share."""

LEARNING_OF_TWO = LEARNING | {"num_mini_batches": 4}
"""The same for two policies: as many samples of each in a minibatch."""


@configclass
class LocomotionCGRPORunnerCfg(CGRPORunnerCfg):
    """Default: one policy, closed-form least-squares baseline."""

    num_steps_per_env = 32
    max_iterations = 490
    save_interval = 50
    group_policy = GroupPolicyCfg(hidden_dims=[64, 64], activation="tanh", init_log_std=INIT_LOG_STD)
    algorithm = CGRPOCfg(**LEARNING)


@configclass
class LocomotionCGRPOFullRunnerCfg(LocomotionCGRPORunnerCfg):
    """CGRPO-Full of the paper: two policies, state clusters, reference, smoothness, diversity and adaptive clip."""

    algorithm = CGRPOCfg(**PAPER_FULL, **LEARNING_OF_TWO)


@configclass
class LocomotionCGRPOSimpleRunnerCfg(LocomotionCGRPORunnerCfg):
    """CGRPO-Simple of the paper: two clustered policies, state clusters, fixed clip, nothing else."""

    algorithm = CGRPOCfg(**PAPER_SIMPLE, **LEARNING_OF_TWO)


@configclass
class LocomotionPPORunnerCfg(PPORunnerCfg):
    """rsl_rl's PPO with our policy's network, initial weights, squash, noise, normaliser, optimiser and schedule."""

    num_steps_per_env = 32
    max_iterations = 490
    save_interval = 50
    actor = RslRlMLPModelCfg(
        hidden_dims=[64, 64],
        activation="tanh",
        obs_normalization=True,
        distribution_cfg=SquashedGaussianCfg(init_std=math.exp(INIT_LOG_STD)),
    )
    critic = RslRlMLPModelCfg(hidden_dims=[64, 64], activation="tanh", obs_normalization=True)
    algorithm = PPOAlgorithmCfg(**LEARNING, reward_normalization=True, orthogonal_init=True)
