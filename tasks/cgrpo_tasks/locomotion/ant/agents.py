# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents of Ant."""

from isaaclab.utils import configclass

from cgrpo_tasks.locomotion import agents, baseline_agents


@configclass
class AntCGRPORunnerCfg(agents.LocomotionCGRPORunnerCfg):
    """See the base class."""

    experiment_name = "ant_cgrpo"


@configclass
class AntCGRPOFullRunnerCfg(agents.LocomotionCGRPOFullRunnerCfg):
    """See the base class."""

    experiment_name = "ant_cgrpo_full"


@configclass
class AntCGRPOSimpleRunnerCfg(agents.LocomotionCGRPOSimpleRunnerCfg):
    """See the base class."""

    experiment_name = "ant_cgrpo_simple"


@configclass
class AntPPORunnerCfg(agents.LocomotionPPORunnerCfg):
    """See the base class."""

    experiment_name = "ant_ppo"


@configclass
class AntGPGRunnerCfg(baseline_agents.LocomotionGPGRunnerCfg):
    """See the base class."""

    experiment_name = "ant_gpg"


@configclass
class AntGRPORunnerCfg(baseline_agents.LocomotionGRPORunnerCfg):
    """See the base class."""

    experiment_name = "ant_grpo"


@configclass
class AntSACRunnerCfg(baseline_agents.LocomotionSACRunnerCfg):
    """See the base class."""

    experiment_name = "ant_sac"


@configclass
class AntTD3RunnerCfg(baseline_agents.LocomotionTD3RunnerCfg):
    """See the base class."""

    experiment_name = "ant_td3"


@configclass
class AntTRPORunnerCfg(baseline_agents.LocomotionTRPORunnerCfg):
    """See the base class."""

    experiment_name = "ant_trpo"
