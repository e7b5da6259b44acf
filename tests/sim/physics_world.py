# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""A two-link arm and a box on a floor: the smallest scene with drives, gravity and contact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import torch
from mujoco_usd_converter import Converter
from mujoco_warp._src import collision_primitive

import isaaclab.sim as sim_utils
from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.assets import Articulation, ArticulationCfg, AssetBaseCfg, RigidObject, RigidObjectCfg
from isaaclab.scene import InteractiveScene, InteractiveSceneCfg
from isaaclab.sim import SimulationCfg, SimulationContext, build_simulation_context
from isaaclab.utils import configclass
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg
from isaaclab_newton.sim.schemas import NewtonArticulationCfg

from cgrpo_tasks.physics import GraphReplaySolverCfg, NativeMujocoSolverCfg

SOLVERS = {"stock": MJWarpSolverCfg, "newton_mjwarp": GraphReplaySolverCfg, "mujoco": NativeMujocoSolverCfg}

ARM_XML = """
<mujoco model="arm">
  <compiler angle="radian"/>
  <worldbody>
    <body name="base">
      <inertial pos="0 0 0" mass="1" diaginertia="0.01 0.01 0.01"/>
      <body name="upper" pos="0 0 1">
        <joint name="shoulder" type="hinge" axis="0 1 0" range="-3 3" armature="0.01"/>
        <geom name="upper" type="capsule" fromto="0 0 0 0.3 0 0" size="0.03" density="1000"/>
        <body name="lower" pos="0.3 0 0">
          <joint name="elbow" type="hinge" axis="0 0.6 0.8" range="-2.5 2.5" armature="0.01"/>
          <geom name="lower" type="capsule" fromto="0 0 0 0.25 0.1 0" size="0.02" density="1000"/>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


@cache
def _arm_usd() -> str:
    folder = Path(mkdtemp(prefix="cgrpo_arm_"))
    source = folder / "arm.xml"
    source.write_text(ARM_XML)
    return Converter(layer_structure=False).convert(str(source), str(folder / "usd")).path


@configclass
class SceneCfg(InteractiveSceneCfg):
    """The arm swings over the floor, the box lies on it."""

    floor = AssetBaseCfg(
        prim_path="{ENV_REGEX_NS}/Floor",
        init_state=AssetBaseCfg.InitialStateCfg(pos=(0.0, 0.0, -0.05)),
        spawn=sim_utils.CuboidCfg(size=(8.0, 8.0, 0.1), collision_props=sim_utils.UsdPhysicsCollisionCfg()),
    )
    box = RigidObjectCfg(
        prim_path="{ENV_REGEX_NS}/Box",
        init_state=RigidObjectCfg.InitialStateCfg(pos=(2.0, 0.0, 0.0999)),
        spawn=sim_utils.CuboidCfg(
            size=(0.2, 0.2, 0.2),
            rigid_props=sim_utils.UsdPhysicsRigidBodyCfg(),
            mass_props=sim_utils.MassCfg(mass=2.0),
            collision_props=sim_utils.UsdPhysicsCollisionCfg(),
        ),
    )
    arm: ArticulationCfg = None


@dataclass
class World:
    """Handles of a running scene."""

    sim: SimulationContext
    scene: InteractiveScene
    decimation: int

    @property
    def arm(self) -> Articulation:
        return self.scene["arm"]

    @property
    def box(self) -> RigidObject:
        return self.scene["box"]

    @property
    def solver(self):
        return self.sim.physics_manager._solver

    def step(self, targets: torch.Tensor | None = None) -> None:
        """One control step, as Isaac Lab's environments do it; ``targets`` are joint positions [E, 2] [rad]."""
        manager = self.sim.physics_manager
        per_call = self.decimation if manager.handles_decimation() else 1
        for _ in range(self.decimation // per_call):
            if targets is not None:
                self.arm.actuators.target_command.set_position_index(value=targets)
            self.scene.write_data_to_sim()
            self.sim.step(render=False)
            self.scene.update(self.sim.get_physics_dt() * per_call)

    def snapshot(self) -> torch.Tensor:
        """Everything that moves, [E, 2 + 2 + 13 + 3 * 13]."""
        parts = (
            self.arm.data.joint_pos,
            self.arm.data.joint_vel,
            self.box.data.root_link_pose_w,
            self.box.data.root_link_vel_w,
            self.arm.data.body_link_pose_w,
            self.arm.data.body_link_vel_w,
        )
        return torch.cat([p.torch.reshape(self.scene.num_envs, -1) for p in parts], dim=1).clone()


def _forget_other_models() -> None:
    """Empty MuJoCo Warp's lists of the pairs that its primitive colliders handle, which outlive their model.

    After a model that collides boxes by the primitive collider (the hand's block, which switches MuJoCo's convex
    collision off), boxes of later models in the process would be collided by both, and have every contact twice.
    """
    collision_primitive._PRIMITIVE_COLLISION_TYPES.clear()
    collision_primitive._PRIMITIVE_COLLISION_FUNC.clear()


@contextmanager
def world(
    preset: str,
    *,
    num_envs: int = 3,
    num_substeps: int = 1,
    decimation: int = 1,
    env_spacing: float = 0.0,
    actuator: dict | None = None,
    device: str = "cpu",
    **solver,
) -> Iterator[World]:
    """Build the scene on a physics preset, start it and tear it down again."""
    _forget_other_models()
    options = {"integrator": "implicitfast", "cone": "pyramidal", "njmax": 60, "nconmax": 30, "tolerance": 1e-8}
    physics = NewtonCfg(solver_cfg=SOLVERS[preset](**(options | solver)), num_substeps=num_substeps)
    drive = actuator or {"drive": ImplicitActuatorCfg(joint_names_expr=[".*"], stiffness=30.0, damping=2.0)}
    cfg = SceneCfg(num_envs=num_envs, env_spacing=env_spacing)
    cfg.arm = ArticulationCfg(
        prim_path="{ENV_REGEX_NS}/Arm",
        spawn=sim_utils.UsdFileCfg(
            usd_path=_arm_usd(), articulation_props=[NewtonArticulationCfg(self_collision_enabled=False)]
        ),
        init_state=ArticulationCfg.InitialStateCfg(joint_pos={"shoulder": 0.2, "elbow": -0.3}),
        actuators=drive,
    )
    sim_cfg = SimulationCfg(dt=1 / 120, device=device, physics=physics)
    with build_simulation_context(sim_cfg=sim_cfg, device=device) as sim:
        scene = InteractiveScene(cfg)
        sim.reset()
        sim.physics_manager.set_decimation(decimation)
        scene.reset()
        scene["arm"].write_joint_position_to_sim_index(position=scene["arm"].data.default_joint_pos.torch)
        scene.update(0.0)
        yield World(sim, scene, decimation)


def random_targets(num_envs: int, steps: int, seed: int = 0) -> torch.Tensor:
    """Joint targets [steps, E, 2] [rad]."""
    return torch.randn((steps, num_envs, 2), generator=torch.Generator().manual_seed(seed)) * 0.8
