# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents of HalfCheetah."""

from isaaclab.utils import configclass

from cgrpo_lab.algorithms.config import CGRPOCfg
from cgrpo_tasks.locomotion import agents, baseline_agents


@configclass
class HalfCheetahCGRPORunnerCfg(agents.LocomotionCGRPORunnerCfg):
    """Default: the value remembers five iterations, not ten.

    A robot that cannot fall meets everything it has to judge in every rollout, and a short memory follows its policy
    more closely. Walker2d and Ant have to remember their falls, which are rare.
    """

    experiment_name = "half_cheetah_cgrpo"
    algorithm = CGRPOCfg(**agents.LEARNING, estimator_options={"decay": 0.8, "renew_interval": 5})


@configclass
class HalfCheetahCGRPOFullRunnerCfg(agents.LocomotionCGRPOFullRunnerCfg):
    """See the base class."""

    experiment_name = "half_cheetah_cgrpo_full"


@configclass
class HalfCheetahCGRPOSimpleRunnerCfg(agents.LocomotionCGRPOSimpleRunnerCfg):
    """See the base class."""

    experiment_name = "half_cheetah_cgrpo_simple"


@configclass
class HalfCheetahPPORunnerCfg(agents.LocomotionPPORunnerCfg):
    """See the base class."""

    experiment_name = "half_cheetah_ppo"


@configclass
class HalfCheetahGPGRunnerCfg(baseline_agents.LocomotionGPGRunnerCfg):
    """See the base class."""

    experiment_name = "half_cheetah_gpg"


@configclass
class HalfCheetahGRPORunnerCfg(baseline_agents.LocomotionGRPORunnerCfg):
    """See the base class."""

    experiment_name = "half_cheetah_grpo"


@configclass
class HalfCheetahSACRunnerCfg(baseline_agents.LocomotionSACRunnerCfg):
    """See the base class."""

    experiment_name = "half_cheetah_sac"


@configclass
class HalfCheetahTD3RunnerCfg(baseline_agents.LocomotionTD3RunnerCfg):
    """See the base class."""

    experiment_name = "half_cheetah_td3"


@configclass
class HalfCheetahTRPORunnerCfg(baseline_agents.LocomotionTRPORunnerCfg):
    """See the base class."""

    experiment_name = "half_cheetah_trpo"
