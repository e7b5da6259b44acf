# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents of Ant."""

from isaaclab.utils import configclass

from cgrpo_tasks.locomotion import agents


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
