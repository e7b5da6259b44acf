# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents that the block task is compared with, at the budget of our own: GPG, GRPO, SAC, TD3, TRPO.

Discount, noise and activation are those of our agents for this task, layers too where the papers ask for no others. For
the rest SAC and TD3 have the settings of their papers with the replay ratio of vectorised simulation, and TRPO those of
OpenAI Baselines; see :mod:`cgrpo_tasks.locomotion.baseline_agents`.
"""

from isaaclab.utils import configclass

from cgrpo_lab.algorithms.config import CGRPOCfg
from cgrpo_lab.baselines import SACCfg, TD3Cfg, TRPOCfg
from cgrpo_tasks.agents import SkrlRunnerCfg

from .agents import GROUPS, HIDDEN_DIMS, INIT_LOG_STD, LEARNING, BlockCGRPORunnerCfg

SHARED = {"gamma": LEARNING["gamma"], "activation": "elu"}
"""What skrl's agents have in common with ours."""


@configclass
class BlockGPGRunnerCfg(BlockCGRPORunnerCfg):
    """Group Policy Gradient (arXiv 2510.03679): the baseline is what the others earn from the same time step on."""

    experiment_name = "shadow_hand_block_gpg"
    init_at_random_ep_len = False
    algorithm = CGRPOCfg(**LEARNING, estimator="time_step")


@configclass
class BlockGRPORunnerCfg(BlockCGRPORunnerCfg):
    """GRPO with outcome supervision: whole episodes of 100 steps from one start to one goal, compared as wholes."""

    num_steps_per_env = 100
    max_iterations = 120
    save_interval = 10
    init_at_random_ep_len = False
    experiment_name = "shadow_hand_block_grpo"
    algorithm = CGRPOCfg(**LEARNING, estimator="episode", estimator_options={"group_size": 8})


@configclass
class BlockOffPolicyRunnerCfg(SkrlRunnerCfg):
    """What SAC and TD3 share."""

    num_steps_per_env = 8
    max_iterations = 1480
    save_interval = 200
    obs_groups = {"actor": GROUPS}


@configclass
class BlockSACRunnerCfg(BlockOffPolicyRunnerCfg):
    """Soft Actor-Critic.

    Its usual entropy coefficient of 0.2 would make the entropy of twenty actions worth more than the rewards, which are
    below 1 a step; 0.01 is that of the reaching task.
    """

    experiment_name = "shadow_hand_block_sac"
    algorithm = SACCfg(**SHARED, gradient_steps=64, init_entropy_coef=0.01)


@configclass
class BlockTD3RunnerCfg(BlockOffPolicyRunnerCfg):
    """Twin Delayed DDPG."""

    experiment_name = "shadow_hand_block_td3"
    algorithm = TD3Cfg(**SHARED, gradient_steps=64)


@configclass
class BlockTRPORunnerCfg(SkrlRunnerCfg):
    """Trust Region Policy Optimization."""

    num_steps_per_env = 32
    max_iterations = 370
    save_interval = 50
    experiment_name = "shadow_hand_block_trpo"
    obs_groups = {"actor": GROUPS}
    algorithm = TRPOCfg(**SHARED, hidden_dims=HIDDEN_DIMS, init_log_std=INIT_LOG_STD, lam=0.98)
