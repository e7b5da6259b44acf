# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Configuration of HalfCheetah."""

from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass

from isaaclab_tasks.utils import PresetCfg

from cgrpo_tasks.assets.mujoco_locomotion import robot_cfg
from cgrpo_tasks.locomotion.env_cfg import MAX_EPISODE_STEPS, LocomotionEnvCfg, SceneCfg, simulation


@configclass
class HalfCheetahV4EnvCfg(LocomotionEnvCfg):
    """Rules of ``HalfCheetah-v4``."""

    scene: SceneCfg = SceneCfg(num_envs=64, env_spacing=0.0, robot=robot_cfg("half_cheetah"))
    sim: SimulationCfg = simulation(dt=0.01, frame_skip=5, integrator="euler", capsules=8, spheres=0, limits=6)
    episode_length_s: float = MAX_EPISODE_STEPS * 0.05
    observation_space: int = 17
    action_space: int = 6
    ctrl_cost_weight: float = 0.1
    reset_noise_scale: float = 0.1


@configclass
class HalfCheetahV5EnvCfg(HalfCheetahV4EnvCfg):
    """Rules of ``HalfCheetah-v5``, which differs from ``-v4`` in what it tells beside the reward only."""


@configclass
class HalfCheetahEnvCfg(PresetCfg):
    """The version of the rules, chosen with ``env=v5``."""

    v4: HalfCheetahV4EnvCfg = HalfCheetahV4EnvCfg()
    v5: HalfCheetahV5EnvCfg = HalfCheetahV5EnvCfg()
    default: HalfCheetahV4EnvCfg = v4
