# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Configuration of the catching task.

Numbers: Bi-DexHands (PKU-MARL/DexterousHands), ``cfg/ShadowHandCatchAbreast.yaml`` and
``tasks/shadow_hand_catch_abreast.py``.
"""

from dataclasses import MISSING

import torch

from isaaclab.assets import ArticulationCfg, RigidObjectCfg
from isaaclab.envs import DirectRLEnvCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass

from isaaclab_tasks.utils import PresetCfg

from cgrpo_tasks.assets.shadow_hand_catch import CATCH_VALUES, EGG_VALUES, hand_cfg, object_cfg
from cgrpo_tasks.physics import MjcfValuesCfg, make_physics_presets

CONTROL_DT = 1.0 / 60.0
"""Control step [s]."""

NUM_SUBSTEPS = 4
"""Physics steps per control step, of 4.2 ms; twice as many as in the source, whose solver is another one."""

EPISODE_STEPS = 150
"""Steps of an episode that is not ended before."""

_START = (-0.39, -0.55, 0.54)
"""Where the object starts [m], above the fingers of the right hand."""

_PEN_START = (-0.39, -0.55, 0.52)


@configclass
class CatchSceneCfg(InteractiveSceneCfg):
    """Two hands and the object."""

    right_hand: ArticulationCfg = hand_cfg("right")
    left_hand: ArticulationCfg = hand_cfg("left")
    object: RigidObjectCfg = MISSING


def _scene(name: str, start: tuple[float, float, float]) -> CatchSceneCfg:
    # Newton's worlds never meet; at equal coordinates they share one model and positions keep float32's precision.
    return CatchSceneCfg(num_envs=64, env_spacing=0.0, object=object_cfg(name, start))


def _simulation(mjcf_values: dict[str, MjcfValuesCfg]) -> SimulationCfg:
    return SimulationCfg(
        device="cuda:0" if torch.cuda.is_available() else "cpu",
        dt=CONTROL_DT,
        render_interval=1,
        physics=make_physics_presets(
            solver={
                "integrator": "euler",
                "cone": "pyramidal",
                "impratio": 1.0,
                "iterations": 20,
                "ls_iterations": 50,
                "tolerance": 1.0e-8,
                # Random hands had up to 12 contacts and 122 constraints; more than there is room for is an error.
                "nconmax": 64,
                "njmax": 320,
                "mjdata_fields": ("xpos", "subtree_com", "cfrc_ext"),
                "mjcf_values": mjcf_values,
            },
            num_substeps=NUM_SUBSTEPS,
        ),
    )


@configclass
class CatchEggEnvCfg(DirectRLEnvCfg):
    """Throw an egg from the right hand into the left one."""

    scene: CatchSceneCfg = _scene("egg", _START)
    sim: SimulationCfg = _simulation(EGG_VALUES)
    decimation: int = 1
    episode_length_s: float = EPISODE_STEPS * CONTROL_DT
    action_space: int = 52
    observation_space: int = 422

    start_position: tuple[float, float, float] = _START
    """Where the object starts [m]."""

    start_pitch: float | None = None
    """How far [rad] the object lies off the horizontal at most; none for any rotation about x, then y."""

    goal_offset: tuple[float, float, float] = (0.0, -0.6, 0.0)
    """From the start to the goal [m]: the distance of the hands."""

    base_force: float = 0.5 * 100000.0 * CONTROL_DT
    """Force [N] on a forearm at action 1."""

    base_torque: float = 1000.0 * CONTROL_DT
    """Torque [N m] on a forearm at action 1."""

    distance_weight: float = 50.0
    """Radians of rotation that a metre of distance counts as in the reward."""

    reward_rate: float = 0.2
    """Decay of the reward per radian of error."""

    success_distance: float = 0.03
    """Distance to the goal [m] below which the object has been caught."""

    fall_height: float = 0.2
    """Height of the object [m] at which the episode ends."""

    palm_positions: tuple[tuple[float, float, float], ...] = ((-0.3, -0.55, 0.5), (-0.3, -1.15, 0.5))
    """Where the palms belong [m], right and left."""

    palm_tolerance: float = 0.1
    """Distance of a palm from there [m] at which the episode ends."""

    joint_velocity_scale: float = 0.2
    """Scale of velocities of joints and of the object's angular velocity in the observation [s]."""

    force_scale: float = 10.0
    """Scale of torques and forces in the observation [1/N, 1/(N m)]."""

    observation_clip: float = 5.0
    """Largest observation."""


@configclass
class CatchBlockEnvCfg(CatchEggEnvCfg):
    """Throw a block."""

    scene: CatchSceneCfg = _scene("block", _START)
    sim: SimulationCfg = _simulation(CATCH_VALUES)


@configclass
class CatchPenEnvCfg(CatchEggEnvCfg):
    """Throw a pen, which starts across the fingers."""

    scene: CatchSceneCfg = _scene("pen", _PEN_START)
    sim: SimulationCfg = _simulation(CATCH_VALUES)
    start_position: tuple[float, float, float] = _PEN_START
    start_pitch: float | None = 0.3


@configclass
class ShadowHandCatchEnvCfg(PresetCfg):
    """The object, chosen with ``env=pen``."""

    egg: CatchEggEnvCfg = CatchEggEnvCfg()
    block: CatchBlockEnvCfg = CatchBlockEnvCfg()
    pen: CatchPenEnvCfg = CatchPenEnvCfg()
    default: CatchEggEnvCfg = egg
