# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Configuration of the reaching task, after Isaac Lab's ``Isaac-Reach-Franka`` with its ``hold`` preset.

It is reshaped to be learned in about a million steps; ``docs/tasks/franka_reach.md`` gives reasons and figures.
"""

import math

import torch

import isaaclab.envs.mdp as mdp
import isaaclab.sim as sim_utils
from isaaclab.assets import ArticulationCfg, AssetBaseCfg
from isaaclab.envs import ManagerBasedRLEnvCfg
from isaaclab.managers import EventTermCfg as EventTerm
from isaaclab.managers import ObservationGroupCfg as ObsGroup
from isaaclab.managers import ObservationTermCfg as ObsTerm
from isaaclab.managers import RewardTermCfg as RewTerm
from isaaclab.managers import SceneEntityCfg
from isaaclab.managers import TerminationTermCfg as DoneTerm
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.utils import configclass, replace
from isaaclab.utils.noise import UniformNoiseCfg as Unoise

from isaaclab_tasks.utils import PresetCfg

from cgrpo_tasks.assets.panda import PANDA_CFG, PANDA_ORIGINAL_CFG
from cgrpo_tasks.physics import make_physics_presets

from .mdp import HandPoseCommandCfg, orientation_command_error_tanh, pose_error

ARM = SceneEntityCfg("robot", joint_names=["panda_joint.*"])
HAND = SceneEntityCfg("robot", body_names=["panda_hand"])

TARGET_RANGE = {
    "panda_joint1": (-1.6, 1.6),
    "panda_joint2": (-1.0, 1.0),
    "panda_joint3": (-1.6, 1.6),
    "panda_joint4": (-3.05, -1.35),
    "panda_joint5": (-1.0, 1.0),
    "panda_joint6": (1.35, 3.05),
    "panda_joint7": (-3.3, 3.3),
}
"""Joint targets [rad] that actions -1 and 1 ask for; every commanded pose is within reach of these ranges."""

TARGET_CENTRE = {joint: (low + high) / 2 for joint, (low, high) in TARGET_RANGE.items()}
"""Joint targets [rad] of a zero action; also the posture in which episodes start."""

TARGET_HALF_WIDTH = {joint: (high - low) / 2 for joint, (low, high) in TARGET_RANGE.items()}
"""Displacement [rad] per unit of action."""


_PLACEMENT = {
    "prim_path": "{ENV_REGEX_NS}/Robot",
    "init_state": ArticulationCfg.InitialStateCfg(joint_pos=TARGET_CENTRE | {"panda_finger_joint.*": 0.0}),
}


@configclass
class PandaPresetCfg(PresetCfg):
    """The Panda built on this machine, or with ``env.scene.robot=original`` the one Isaac Lab downloads."""

    default: ArticulationCfg = replace(PANDA_CFG, **_PLACEMENT)
    original: ArticulationCfg = replace(PANDA_ORIGINAL_CFG, **_PLACEMENT)


@configclass
class SceneCfg(InteractiveSceneCfg):
    """A Panda on a table; the table's top is at height 0."""

    table = AssetBaseCfg(
        prim_path="{ENV_REGEX_NS}/Table",
        init_state=AssetBaseCfg.InitialStateCfg(pos=(0.5, 0.0, -0.5)),
        spawn=sim_utils.CuboidCfg(size=(0.9, 1.3, 1.0), collision_props=sim_utils.UsdPhysicsCollisionCfg()),
    )
    robot: PandaPresetCfg = PandaPresetCfg()


@configclass
class CommandsCfg:
    """One goal per episode: hand pointing down, any heading."""

    ee_pose = HandPoseCommandCfg(
        asset_name="robot",
        body_name="panda_hand",
        # A finite time beyond any episode: torch's uniform_ rejects infinity.
        resampling_time_range=(1.0e9, 1.0e9),
        ranges=HandPoseCommandCfg.Ranges(
            pos_x=(0.35, 0.65),
            pos_y=(-0.2, 0.2),
            pos_z=(0.15, 0.5),
            roll=(0.0, 0.0),
            pitch=(math.pi, math.pi),
            yaw=(-math.pi, math.pi),
        ),
    )


@configclass
class ActionsCfg:
    """Targets of the arm's position drives."""

    arm_action = mdp.JointPositionActionCfg(
        asset_name="robot",
        joint_names=["panda_joint.*"],
        scale=TARGET_HALF_WIDTH,
        offset=TARGET_CENTRE,
        use_default_offset=False,
        clip=TARGET_RANGE | {"panda_joint7": (-2.8973, 2.8973)},
    )


@configclass
class ObservationsCfg:
    """What the policy sees, 34 numbers."""

    @configclass
    class PolicyCfg(ObsGroup):
        """Arm only: the fingers are at rest, and normalised noise of a constant would drown the signal."""

        joint_pos = ObsTerm(func=mdp.joint_pos_rel, params={"asset_cfg": ARM}, noise=Unoise(n_min=-0.01, n_max=0.01))
        joint_vel = ObsTerm(func=mdp.joint_vel_rel, params={"asset_cfg": ARM}, noise=Unoise(n_min=-0.01, n_max=0.01))
        pose_command = ObsTerm(func=mdp.generated_commands, params={"command_name": "ee_pose"})
        pose_error = ObsTerm(func=pose_error, params={"command_name": "ee_pose"})
        actions = ObsTerm(func=mdp.last_action)

        def __post_init__(self):
            """Set the group's options."""
            self.enable_corruption = True
            self.concatenate_terms = True

    policy: PolicyCfg = PolicyCfg()


@configclass
class EventCfg:
    """Randomness of episode starts."""

    reset_arm = EventTerm(
        func=mdp.reset_joints_by_offset,
        mode="reset",
        params={"position_range": (-0.1, 0.1), "velocity_range": (0.0, 0.0), "asset_cfg": ARM},
    )
    reset_fingers = EventTerm(
        func=mdp.reset_joints_by_offset,
        mode="reset",
        params={
            "position_range": (0.0, 0.0),
            "velocity_range": (0.0, 0.0),
            "asset_cfg": SceneEntityCfg("robot", joint_names=["panda_finger_joint.*"]),
        },
    )


@configclass
class RewardsCfg:
    """Smooth terms that lead to the goal and stay sharp near it, and small costs of motion."""

    position = RewTerm(
        func=mdp.position_command_error, weight=-1.0, params={"asset_cfg": HAND, "command_name": "ee_pose"}
    )
    position_fine = RewTerm(
        func=mdp.position_command_error_tanh,
        weight=2.0,
        params={"asset_cfg": HAND, "command_name": "ee_pose", "std": 0.1},
    )
    orientation = RewTerm(
        func=mdp.orientation_command_error, weight=-0.3, params={"asset_cfg": HAND, "command_name": "ee_pose"}
    )
    orientation_fine = RewTerm(
        func=orientation_command_error_tanh,
        weight=2.0,
        params={"asset_cfg": HAND, "command_name": "ee_pose", "std": 0.2},
    )
    action_rate = RewTerm(func=mdp.action_rate_l2, weight=-0.0001)
    joint_vel = RewTerm(func=mdp.joint_vel_l2, weight=-0.0001, params={"asset_cfg": ARM})


@configclass
class TerminationsCfg:
    """Episodes end by the clock only: success is to hold the goal, not to touch it."""

    time_out = DoneTerm(func=mdp.time_out, time_out=True)


@configclass
class FrankaReachEnvCfg(ManagerBasedRLEnvCfg):
    """Bring the Panda's hand to a pose within an episode and hold it."""

    # Newton's worlds never meet; at equal coordinates they share one model, which the CPU steps faster.
    scene: SceneCfg = SceneCfg(num_envs=128, env_spacing=0.0)
    observations: ObservationsCfg = ObservationsCfg()
    actions: ActionsCfg = ActionsCfg()
    commands: CommandsCfg = CommandsCfg()
    rewards: RewardsCfg = RewardsCfg()
    terminations: TerminationsCfg = TerminationsCfg()
    events: EventCfg = EventCfg()

    def __post_init__(self):
        """Set times, device and physics."""
        cuda = torch.cuda.is_available()
        self.scene.num_envs = 4096 if cuda else 128
        self.decimation = 4
        self.episode_length_s = 4.0
        self.sim.dt = 1 / 120
        self.sim.render_interval = self.decimation
        self.sim.device = "cuda:0" if cuda else "cpu"
        self.sim.physics = make_physics_presets(
            solver={
                "njmax": 100,
                "nconmax": 20,
                "cone": "pyramidal",
                "integrator": "implicitfast",
                "impratio": 1,
            },
            num_substeps=1,
            hold_controls=True,
            physx=True,
        )
