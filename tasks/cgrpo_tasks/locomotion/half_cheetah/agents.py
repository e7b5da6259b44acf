# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Agents of HalfCheetah."""

from isaaclab.utils import configclass

from cgrpo_tasks.locomotion import agents


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
