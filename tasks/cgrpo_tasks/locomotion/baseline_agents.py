# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents that the locomotion tasks are compared with, at the budget of a million steps: GPG, GRPO, SAC, TD3, TRPO.

SAC and TD3 have the settings of arXiv 1812.05905 (table 1) and of the code of 1802.09477 (github.com/sfujim/TD3), which
made the published MuJoCo results, with the normaliser and the replay ratio of vectorised simulation: one gradient step
for eight env steps instead of one for one. skrl's own examples for Isaac Lab (``torch_ant_sac.py``, 64 envs) replay
twice as much, 4096 transitions for 64 new ones, but in one large step. TRPO has the settings of OpenAI Baselines for
MuJoCo (``trpo_mpi/defaults.py``) with twice the batch.
"""

from isaaclab.utils import configclass

from cgrpo_lab.algorithms.config import CGRPOCfg
from cgrpo_lab.baselines import SACCfg, TD3Cfg, TRPOCfg
from cgrpo_tasks.agents import SkrlRunnerCfg
from cgrpo_tasks.locomotion.agents import LEARNING, LocomotionCGRPORunnerCfg


@configclass
class LocomotionGPGRunnerCfg(LocomotionCGRPORunnerCfg):
    """Group Policy Gradient (arXiv 2510.03679): the baseline is what the others earn from the same time step on."""

    init_at_random_ep_len = False
    algorithm = CGRPOCfg(**LEARNING, estimator="time_step")


@configclass
class LocomotionGRPORunnerCfg(LocomotionCGRPORunnerCfg):
    """GRPO with outcome supervision: whole episodes of 1000 steps from one start, compared as wholes.

    The tasks register fewer environments for it, because an iteration takes 1000 steps of each: after 320k steps on
    HalfCheetah the return with 16 had come from -266 to -35, with 64 from -246 to -174 (one seed). The discount keeps
    what is earned at the end of an episode in sight.
    """

    num_steps_per_env = 1000
    max_iterations = 62
    save_interval = 5
    init_at_random_ep_len = False
    algorithm = CGRPOCfg(
        estimator="episode",
        estimator_options={"group_size": 8},
        **LEARNING | {"gamma": 0.9999, "num_mini_batches": 16},
    )


@configclass
class LocomotionSACRunnerCfg(SkrlRunnerCfg):
    """Soft Actor-Critic."""

    num_steps_per_env = 8
    max_iterations = 1954
    save_interval = 200
    algorithm = SACCfg(gradient_steps=64)


@configclass
class LocomotionTD3RunnerCfg(SkrlRunnerCfg):
    """Twin Delayed DDPG."""

    num_steps_per_env = 8
    max_iterations = 1954
    save_interval = 200
    algorithm = TD3Cfg(gradient_steps=64)


@configclass
class LocomotionTRPORunnerCfg(SkrlRunnerCfg):
    """Trust Region Policy Optimization."""

    num_steps_per_env = 32
    max_iterations = 490
    save_interval = 50
    algorithm = TRPOCfg(lam=0.98)
