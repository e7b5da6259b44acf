# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What the configurations of the locomotion tasks have in common."""

from dataclasses import MISSING

import torch

from isaaclab.assets import ArticulationCfg
from isaaclab.envs import DirectRLEnvCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass

from cgrpo_tasks.physics import make_physics_presets

MAX_EPISODE_STEPS = 1000
"""Steps after which Gymnasium truncates an episode."""


@configclass
class SceneCfg(InteractiveSceneCfg):
    """A robot on its floor."""

    robot: ArticulationCfg = MISSING


@configclass
class LocomotionEnvCfg(DirectRLEnvCfg):
    """Rules of a robot that is to run forward; times, physics and sizes are set by :func:`simulation`."""

    # Newton's worlds never meet; at equal coordinates they share one model and positions keep float32's precision.
    scene: SceneCfg = SceneCfg(num_envs=64, env_spacing=0.0)
    decimation: int = 1

    forward_reward_weight: float = 1.0
    """Reward per m/s of forward velocity."""

    ctrl_cost_weight: float = MISSING
    """Cost of the squared action, summed over the actuators."""

    reset_noise_scale: float = MISSING
    """Size of the random displacement of positions [m, rad] and velocities [m/s, rad/s] at the start."""


@configclass
class UprightEnvCfg(LocomotionEnvCfg):
    """Rules of a robot whose episodes end when it falls."""

    healthy_reward: float = 1.0
    """Reward for every step."""

    healthy_z_range: tuple[float, float] = MISSING
    """Height of the torso [m] within which the episode goes on."""

    survives_last_step: bool = True
    """Whether the step that ends the episode is rewarded as well, as in Gymnasium's ``-v4``."""


def simulation(*, dt: float, frame_skip: int, integrator: str, capsules: int, spheres: int, limits: int, **solver):
    """Return the simulation settings of a robot.

    Args:
        dt: Time step of the MJCF [s].
        frame_skip: Time steps per control step.
        integrator: Integrator of the MJCF; what the asset says is not read by Isaac Lab.
        capsules: Number of capsules that may touch the floor, at two points each.
        spheres: Number of spheres that may touch the floor, at one point each.
        limits: Number of limited joints.
        **solver: Further fields of the solver's configuration.
    """
    contacts = 2 * capsules + spheres
    return SimulationCfg(
        device="cuda:0" if torch.cuda.is_available() else "cpu",
        dt=dt * frame_skip,
        render_interval=1,
        physics=make_physics_presets(
            solver={
                "integrator": integrator,
                "cone": "pyramidal",
                "impratio": 1.0,
                "iterations": 100,
                "ls_iterations": 50,
                "tolerance": 1.0e-8,
                # Room for every contact at once, four pyramid edges each: MuJoCo Warp drops what does not fit.
                "nconmax": contacts,
                "njmax": 4 * contacts + limits,
                **solver,
            },
            num_substeps=frame_skip,
        ),
    )
