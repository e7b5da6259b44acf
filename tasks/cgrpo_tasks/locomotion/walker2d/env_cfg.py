# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Configuration of Walker2d."""

from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass

from isaaclab_tasks.utils import PresetCfg

from cgrpo_tasks.assets.mujoco_locomotion import robot_cfg
from cgrpo_tasks.locomotion.env_cfg import MAX_EPISODE_STEPS, SceneCfg, UprightEnvCfg, simulation


@configclass
class Walker2dV4EnvCfg(UprightEnvCfg):
    """Rules of ``Walker2d-v4``."""

    scene: SceneCfg = SceneCfg(num_envs=64, env_spacing=0.0, robot=robot_cfg("walker2d"))
    sim: SimulationCfg = simulation(dt=0.002, frame_skip=4, integrator="rk4", capsules=7, spheres=0, limits=6)
    episode_length_s: float = MAX_EPISODE_STEPS * 0.008
    observation_space: int = 17
    action_space: int = 6
    ctrl_cost_weight: float = 1.0e-3
    reset_noise_scale: float = 5.0e-3
    healthy_z_range: tuple[float, float] = (0.8, 2.0)

    healthy_angle_range: tuple[float, float] = (-1.0, 1.0)
    """Pitch [rad] within which the episode goes on."""


@configclass
class Walker2dV5EnvCfg(Walker2dV4EnvCfg):
    """Rules of ``Walker2d-v5``: both feet have the same friction."""

    scene: SceneCfg = SceneCfg(num_envs=64, env_spacing=0.0, robot=robot_cfg("walker2d_v5"))
    survives_last_step: bool = False


@configclass
class Walker2dEnvCfg(PresetCfg):
    """The version of the rules, chosen with ``env=v5``."""

    v4: Walker2dV4EnvCfg = Walker2dV4EnvCfg()
    v5: Walker2dV5EnvCfg = Walker2dV5EnvCfg()
    default: Walker2dV4EnvCfg = v4
