# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents of Walker2d."""

from isaaclab.utils import configclass

from cgrpo_tasks.locomotion import agents


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
