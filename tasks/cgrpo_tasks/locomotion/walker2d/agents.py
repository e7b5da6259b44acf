# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents of Walker2d."""

from isaaclab.utils import configclass

from cgrpo_tasks.locomotion import agents, baseline_agents


@configclass
class Walker2dCGRPORunnerCfg(agents.LocomotionCGRPORunnerCfg):
    """See the base class."""

    experiment_name = "walker2d_cgrpo"


@configclass
class Walker2dCGRPOFullRunnerCfg(agents.LocomotionCGRPOFullRunnerCfg):
    """See the base class."""

    experiment_name = "walker2d_cgrpo_full"


@configclass
class Walker2dCGRPOSimpleRunnerCfg(agents.LocomotionCGRPOSimpleRunnerCfg):
    """See the base class."""

    experiment_name = "walker2d_cgrpo_simple"


@configclass
class Walker2dPPORunnerCfg(agents.LocomotionPPORunnerCfg):
    """See the base class."""

    experiment_name = "walker2d_ppo"


@configclass
class Walker2dGPGRunnerCfg(baseline_agents.LocomotionGPGRunnerCfg):
    """See the base class."""

    experiment_name = "walker2d_gpg"


@configclass
class Walker2dGRPORunnerCfg(baseline_agents.LocomotionGRPORunnerCfg):
    """See the base class."""

    experiment_name = "walker2d_grpo"


@configclass
class Walker2dSACRunnerCfg(baseline_agents.LocomotionSACRunnerCfg):
    """See the base class."""

    experiment_name = "walker2d_sac"


@configclass
class Walker2dTD3RunnerCfg(baseline_agents.LocomotionTD3RunnerCfg):
    """See the base class."""

    experiment_name = "walker2d_td3"


@configclass
class Walker2dTRPORunnerCfg(baseline_agents.LocomotionTRPORunnerCfg):
    """See the base class."""

    experiment_name = "walker2d_trpo"
