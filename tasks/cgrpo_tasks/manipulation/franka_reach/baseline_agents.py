# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents that the reaching task is compared with, at the budget of our own: GPG, GRPO, SAC, TD3, TRPO.

Discount and activation are those of our agents and of Isaac Lab's PPO for this task. For the rest SAC and TD3 have the
settings of their papers with the replay ratio of vectorised simulation, and TRPO those of OpenAI Baselines; see
:mod:`cgrpo_tasks.locomotion.baseline_agents`.
"""

from isaaclab.utils import configclass

from cgrpo_lab.algorithms.config import CGRPOCfg
from cgrpo_lab.baselines import SACCfg, TD3Cfg, TRPOCfg
from cgrpo_tasks.agents import SkrlRunnerCfg

from .agents import LEARNING, FrankaReachCGRPORunnerCfg

SHARED = {"gamma": LEARNING["gamma"], "activation": "elu"}
"""What skrl's agents have in common with ours."""


@configclass
class FrankaReachGPGRunnerCfg(FrankaReachCGRPORunnerCfg):
    """Group Policy Gradient (arXiv 2510.03679): the baseline is what the others earn from the same time step on."""

    experiment_name = "franka_reach_gpg"
    init_at_random_ep_len = False
    algorithm = CGRPOCfg(**LEARNING, estimator="time_step")


@configclass
class FrankaReachGRPORunnerCfg(FrankaReachCGRPORunnerCfg):
    """GRPO with outcome supervision: whole episodes of 120 steps from one start to one goal, compared as wholes.

    The discount keeps what is earned at the end of an episode in sight. Minibatches have 768 samples, as ours.
    """

    num_steps_per_env = 120
    max_iterations = 120
    save_interval = 10
    experiment_name = "franka_reach_grpo"
    init_at_random_ep_len = False
    algorithm = CGRPOCfg(
        estimator="episode",
        estimator_options={"group_size": 8},
        **LEARNING | {"gamma": 0.9999, "num_mini_batches": 20},
    )


@configclass
class FrankaReachSACRunnerCfg(SkrlRunnerCfg):
    """Soft Actor-Critic; rewards are below 0.1 a step, which SAC's usual entropy coefficient of 0.2 would drown.

    The smaller one is that of "Getting SAC to work on a massive parallel simulator" (ICLR blogposts 2026).
    """

    num_steps_per_env = 8
    max_iterations = 1800
    save_interval = 200
    experiment_name = "franka_reach_sac"
    algorithm = SACCfg(**SHARED, gradient_steps=64, init_entropy_coef=0.01)


@configclass
class FrankaReachTD3RunnerCfg(SkrlRunnerCfg):
    """Twin Delayed DDPG."""

    num_steps_per_env = 8
    max_iterations = 1800
    save_interval = 200
    experiment_name = "franka_reach_td3"
    algorithm = TD3Cfg(**SHARED, gradient_steps=64)


@configclass
class FrankaReachTRPORunnerCfg(SkrlRunnerCfg):
    """Trust Region Policy Optimization."""

    num_steps_per_env = 24
    max_iterations = 600
    save_interval = 50
    experiment_name = "franka_reach_trpo"
    algorithm = TRPOCfg(**SHARED, lam=0.98)
