# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents of HalfCheetah."""

from isaaclab.utils import configclass

from cgrpo_tasks.locomotion import agents, baseline_agents


@configclass
class HalfCheetahCGRPORunnerCfg(agents.LocomotionCGRPORunnerCfg):
    """See the base class."""

    experiment_name = "half_cheetah_cgrpo"


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
