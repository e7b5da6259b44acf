# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Rules of the block task: Gymnasium-Robotics' ``HandManipulateBlock`` in its variants, and tasks in its manner."""

import math

import torch

from isaaclab.assets import ArticulationCfg, AssetBaseCfg, RigidObjectCfg
from isaaclab.envs import DirectRLEnvCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass, replace

from isaaclab_tasks.utils import PresetCfg

from cgrpo_tasks.assets.shadow_hand import BLOCK_CFG, FLOOR_CFG, SHADOW_HAND_CFG
from cgrpo_tasks.assets.shadow_hand_mjcf import BLOCK_VALUES, FLOOR_VALUES, HAND_VALUES
from cgrpo_tasks.physics import make_physics_presets

TIME_STEP, FRAME_SKIP = 0.002, 20
"""Time step of the MJCF [s] and time steps per control step."""

MAX_EPISODE_STEPS = 100
"""Control steps after which Gymnasium-Robotics truncates an episode."""


@configclass
class SceneCfg(InteractiveSceneCfg):
    """The hand, palm up, a block and the floor."""

    robot: ArticulationCfg = replace(SHADOW_HAND_CFG, prim_path="{ENV_REGEX_NS}/Robot")
    block: RigidObjectCfg = replace(BLOCK_CFG, prim_path="{ENV_REGEX_NS}/Block")
    floor: AssetBaseCfg = replace(FLOOR_CFG, prim_path="{ENV_REGEX_NS}/Floor")


def _simulation() -> SimulationCfg:
    """Time step, solver and buffers of the MJCF."""
    return SimulationCfg(
        device="cuda:0" if torch.cuda.is_available() else "cpu",
        dt=TIME_STEP * FRAME_SKIP,
        render_interval=1,
        physics=make_physics_presets(
            solver={
                "integrator": "euler",
                "cone": "pyramidal",
                "impratio": 1.0,
                "iterations": 20,
                "ls_iterations": 50,
                "tolerance": 1.0e-8,
                "enable_multiccd": True,
                "primitive_boxes": True,
                # Twice what random actions needed in 24,000 time steps; too little is an error.
                "nconmax": 32,
                "njmax": 224,
                "mjcf_values": {"Robot": HAND_VALUES, "Block": BLOCK_VALUES, "Floor": FLOOR_VALUES},
            },
            num_substeps=FRAME_SKIP,
        ),
    )


@configclass
class BlockEnvCfg(DirectRLEnvCfg):
    """What all variants have in common; the fields' defaults are those of ``HandManipulateBlockRotateZDense``."""

    # Newton's worlds never meet; at equal coordinates they share one model and positions keep float32's precision.
    scene: SceneCfg = SceneCfg(num_envs=64, env_spacing=0.0)
    sim: SimulationCfg = _simulation()
    decimation: int = 1
    episode_length_s: float = MAX_EPISODE_STEPS * TIME_STEP * FRAME_SKIP
    observation_space: int = 68
    action_space: int = 20

    target_position: str = "ignore"
    """Place of a goal: ``ignore``, ``fixed`` (where the block starts) or ``random`` (around it)."""

    target_rotation: str = "z"
    """Rotation of goals and starts: ``z``, ``parallel`` or ``xyz``; see :func:`~.goals.draw_rotation`."""

    goal_rotation_range: float | None = None
    """Largest angle [rad] by which a goal is turned from the block; None draws goals whatever the block's rotation."""

    distance_threshold: float = 0.01
    """Distance [m] from the goal below which the block is in place."""

    rotation_threshold: float = 0.1
    """Angle [rad] from the goal below which the block is turned."""

    shortest_rotation: bool = False
    """Whether angles are at most pi, or up to 2 pi, as officially; see :mod:`.goals`."""

    reward: str = "dense"
    """``dense``: minus 10 times the distance [m] and minus the angle [rad]; ``sparse``: -1 until the goal is reached;
    ``reorient``: Isaac Lab's for cube reorientation, with the weights below."""

    distance_weight: float = -10.0
    """Reward per m of distance from the goal."""

    rotation_weight: float = 1.0
    """Reward at an angle of 1 rad less ``rotation_offset``, inversely proportional to the angle."""

    rotation_offset: float = 0.1
    """What is added to the angle [rad] before."""

    action_weight: float = -0.0002
    """Reward per squared action, summed over the actuators."""

    goal_bonus: float = 250.0
    """Reward for reaching the goal."""

    drop_penalty: float = 0.0
    """Reward for dropping the block."""

    new_goal_on_success: bool = False
    """Whether a goal that is reached is followed by another one."""

    drop_height: float | None = None
    """Height of the block's centre [m] below which the episode ends; None lets it go on, as officially."""


@configclass
class RotateZEnvCfg(BlockEnvCfg):
    """``HandManipulateBlockRotateZDense``: turn the block about the vertical."""


@configclass
class RotateZNearEnvCfg(BlockEnvCfg):
    """The same with goals no more than 45 degrees away: to be learned on a CPU."""

    goal_rotation_range: float | None = 0.25 * math.pi


@configclass
class RotateParallelEnvCfg(BlockEnvCfg):
    """``HandManipulateBlockRotateParallelDense``: turn the block about the vertical, another face up."""

    target_rotation: str = "parallel"


@configclass
class RotateXYZEnvCfg(BlockEnvCfg):
    """``HandManipulateBlockRotateXYZDense``: turn the block in any way."""

    target_rotation: str = "xyz"


@configclass
class FullEnvCfg(BlockEnvCfg):
    """``HandManipulateBlockDense``, also called ``Full``: turn the block in any way and hold it in some place."""

    target_position: str = "random"
    target_rotation: str = "xyz"


@configclass
class ReorientZEnvCfg(BlockEnvCfg):
    """Goal after goal about the vertical for ten seconds, in the manner of Isaac Lab's cube reorientation.

    Reward, bonus and the length of episodes are those of ``isaaclab_tasks.core.reorient``, the penalty for dropping is
    that of its OpenAI variant.
    """

    episode_length_s: float = 10.0
    target_position: str = "fixed"
    shortest_rotation: bool = True
    # Isaac Lab counts a goal as reached by the angle alone.
    distance_threshold: float = math.inf
    reward: str = "reorient"
    drop_penalty: float = -50.0
    new_goal_on_success: bool = True
    drop_height: float | None = 0.04


@configclass
class ReorientEnvCfg(ReorientZEnvCfg):
    """The same with goals in any rotation."""

    target_rotation: str = "xyz"


@configclass
class ShadowHandBlockEnvCfg(PresetCfg):
    """The variant, chosen with ``env=NAME``; ``env.reward=sparse`` takes the sparse reward."""

    rotate_z: RotateZEnvCfg = RotateZEnvCfg()
    rotate_z_near: RotateZNearEnvCfg = RotateZNearEnvCfg()
    rotate_parallel: RotateParallelEnvCfg = RotateParallelEnvCfg()
    rotate_xyz: RotateXYZEnvCfg = RotateXYZEnvCfg()
    full: FullEnvCfg = FullEnvCfg()
    reorient_z: ReorientZEnvCfg = ReorientZEnvCfg()
    reorient: ReorientEnvCfg = ReorientEnvCfg()
    default: RotateZEnvCfg = rotate_z
