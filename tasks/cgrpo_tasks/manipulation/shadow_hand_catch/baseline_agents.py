# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents that the catching task is compared with, at the budget of our own: GPG, GRPO, SAC, TD3, TRPO.

Discount, noise and activation are those of our agents for this task, layers too where the papers ask for no others. For
the rest SAC and TD3 have the settings of their papers with the replay ratio of vectorised simulation, and TRPO those of
OpenAI Baselines; see :mod:`cgrpo_tasks.locomotion.baseline_agents`. Bi-DexHands has settings for these three, too
(``cfg/sac``, ``cfg/td3``, ``cfg/trpo``), but with memories of a few thousand transitions and divergences of 0.1.
"""

from isaaclab.utils import configclass

from cgrpo_lab.algorithms.config import CGRPOCfg
from cgrpo_lab.baselines import SACCfg, TD3Cfg, TRPOCfg
from cgrpo_tasks.agents import SkrlRunnerCfg

from .agents import HIDDEN_DIMS, INIT_LOG_STD, LEARNING, CatchCGRPORunnerCfg
from .env_cfg import EPISODE_STEPS

SHARED = {"gamma": LEARNING["gamma"], "activation": "elu"}
"""What skrl's agents have in common with ours."""


@configclass
class CatchGPGRunnerCfg(CatchCGRPORunnerCfg):
    """Group Policy Gradient (arXiv 2510.03679): the baseline is what the others earn from the same time step on."""

    experiment_name = "shadow_hand_catch_gpg"
    init_at_random_ep_len = False
    algorithm = CGRPOCfg(**LEARNING, estimator="time_step")


@configclass
class CatchGRPORunnerCfg(CatchCGRPORunnerCfg):
    """GRPO with outcome supervision: whole episodes from one start to one goal, eight of each, compared as wholes."""

    num_steps_per_env = EPISODE_STEPS
    max_iterations = 260
    save_interval = 20
    experiment_name = "shadow_hand_catch_grpo"
    init_at_random_ep_len = False
    algorithm = CGRPOCfg(**LEARNING, estimator="episode", estimator_options={"group_size": 8})


@configclass
class CatchOffPolicyRunnerCfg(SkrlRunnerCfg):
    """What SAC and TD3 share."""

    num_steps_per_env = 8
    max_iterations = 4880
    save_interval = 500


@configclass
class CatchSACRunnerCfg(CatchOffPolicyRunnerCfg):
    """Soft Actor-Critic.

    Rewards are 0.002 a step before anything is learned and 52 actions have much entropy, hence a coefficient a thousand
    times smaller than usual.
    """

    experiment_name = "shadow_hand_catch_sac"
    algorithm = SACCfg(**SHARED, gradient_steps=64, init_entropy_coef=0.0002)


@configclass
class CatchTD3RunnerCfg(CatchOffPolicyRunnerCfg):
    """Twin Delayed DDPG."""

    experiment_name = "shadow_hand_catch_td3"
    algorithm = TD3Cfg(**SHARED, gradient_steps=64)


@configclass
class CatchTRPORunnerCfg(SkrlRunnerCfg):
    """Trust Region Policy Optimization."""

    num_steps_per_env = 32
    max_iterations = 1220
    save_interval = 100
    experiment_name = "shadow_hand_catch_trpo"
    algorithm = TRPOCfg(**SHARED, hidden_dims=HIDDEN_DIMS, init_log_std=INIT_LOG_STD, lam=0.98)
