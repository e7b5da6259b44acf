# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents of the catching task: CGRPO, the paper's two configurations, and PPO on the same task and budget.

256 envs times 32 steps make minibatches of 1024; 1220 iterations are ten million steps. Discount, noise, epochs and
target divergence of all agents are those of Bi-DexHands' PPO (``cfg/ppo/config.yaml``).
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

INIT_LOG_STD = math.log(0.8)
"""Initial noise of the source's PPO."""

HIDDEN_DIMS = [256, 256, 128]
"""Layers of policies and critic; the source's are four times as wide, for a GPU."""

LEARNING = {
    "gamma": 0.96,
    "num_learning_epochs": 5,
    "num_mini_batches": 8,
    "learning_rate": 3.0e-4,
    "schedule": "adaptive",
    "desired_kl": 0.016,
}
"""Settings that all agents share."""


@configclass
class CatchCGRPORunnerCfg(CGRPORunnerCfg):
    """Default: one policy, closed-form least-squares baseline.

    States are compared by what rewards and terminations are made of: the poses of palms, object and goal. Of all 422
    observations the distance between two states is mostly that of fingers.
    """

    num_steps_per_env = 32
    max_iterations = 1220
    save_interval = 100
    experiment_name = "shadow_hand_catch_cgrpo"
    obs_groups = {"actor": ["policy"], "state": ["poses"]}
    group_policy = GroupPolicyCfg(hidden_dims=HIDDEN_DIMS, activation="elu", init_log_std=INIT_LOG_STD)
    algorithm = CGRPOCfg(**LEARNING)


@configclass
class CatchCGRPOFullRunnerCfg(CatchCGRPORunnerCfg):
    """CGRPO-Full of the paper: two policies, state clusters, reference, smoothness, diversity and adaptive clip."""

    experiment_name = "shadow_hand_catch_cgrpo_full"
    algorithm = CGRPOCfg(**PAPER_FULL, **LEARNING)


@configclass
class CatchCGRPOSimpleRunnerCfg(CatchCGRPORunnerCfg):
    """CGRPO-Simple of the paper: two clustered policies, state clusters, fixed clip, nothing else."""

    experiment_name = "shadow_hand_catch_cgrpo_simple"
    algorithm = CGRPOCfg(**PAPER_SIMPLE, **LEARNING)


@configclass
class CatchPPORunnerCfg(PPORunnerCfg):
    """rsl_rl's PPO with our policy's network, squash, noise and normaliser."""

    num_steps_per_env = 32
    max_iterations = 1220
    save_interval = 100
    experiment_name = "shadow_hand_catch_ppo"
    actor = RslRlMLPModelCfg(
        hidden_dims=HIDDEN_DIMS,
        activation="elu",
        obs_normalization=True,
        distribution_cfg=SquashedGaussianCfg(init_std=math.exp(INIT_LOG_STD)),
    )
    critic = RslRlMLPModelCfg(hidden_dims=HIDDEN_DIMS, activation="elu", obs_normalization=True)
    algorithm = PPOAlgorithmCfg(**LEARNING, reward_normalization=True)
