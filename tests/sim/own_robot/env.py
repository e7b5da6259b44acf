# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Environment: run at a pace that wanders, which an object of the package's own keeps."""

from __future__ import annotations

import torch

from isaaclab.actuators import ImplicitActuatorCfg
from isaaclab.envs import DirectRLEnv, DirectRLEnvCfg
from isaaclab.scene import InteractiveSceneCfg
from isaaclab.sim import SimulationCfg
from isaaclab.utils import configclass
from isaaclab_newton.physics import MJWarpSolverCfg, NewtonCfg

from cgrpo_tasks.assets.mujoco_locomotion import robot_cfg

LEGS = ["bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot"]


@configclass
class RunnerSceneCfg(InteractiveSceneCfg):
    """A robot on its floor."""

    robot = robot_cfg("half_cheetah").replace(
        actuators={"legs": ImplicitActuatorCfg(joint_names_expr=LEGS, stiffness=0.0, damping=0.0)}
    )


@configclass
class RunnerEnvCfg(DirectRLEnvCfg):
    """Isaac Lab's own Newton, without presets."""

    scene: RunnerSceneCfg = RunnerSceneCfg(num_envs=8, env_spacing=4.0)
    sim: SimulationCfg = SimulationCfg(
        device="cpu", dt=0.02, physics=NewtonCfg(solver_cfg=MJWarpSolverCfg(nconmax=20, njmax=100))
    )
    decimation = 1
    episode_length_s = 0.4
    observation_space = 19
    action_space = 6


class Pace:
    """The pace [m/s] that is asked for."""

    def __init__(self, num_envs: int, device: str) -> None:
        """Stand still at first."""
        self.target = torch.zeros(num_envs, 1, device=device)
        self.changes = 0

    def wander(self) -> None:
        """Change it at random, less and less."""
        self.changes += 1
        self.target += torch.randn_like(self.target) / self.changes


class RunnerEnv(DirectRLEnv):
    """The task."""

    cfg: RunnerEnvCfg

    def __init__(self, cfg: RunnerEnvCfg, render_mode: str | None = None, **kwargs) -> None:
        """Create the robots."""
        super().__init__(cfg, render_mode, **kwargs)
        self.robot = self.scene["robot"]
        self._legs, _ = self.robot.find_joints(LEGS, preserve_order=True)
        self.pace = Pace(self.num_envs, self.device)

    def _pre_physics_step(self, actions: torch.Tensor) -> None:
        self._efforts = 60.0 * actions.clamp(-1.0, 1.0)

    def _apply_action(self) -> None:
        self.robot.actuators.target_command.set_effort_index(value=self._efforts, joint_ids=self._legs)

    def _get_dones(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.pace.wander()
        return torch.zeros_like(self.reset_terminated), self.episode_length_buf >= self.max_episode_length

    def _get_rewards(self) -> torch.Tensor:
        speed = self.robot.data.joint_vel.torch[:, :1]
        return torch.exp(-(speed - self.pace.target).square()).squeeze(1)

    def _get_observations(self) -> dict[str, torch.Tensor]:
        data = self.robot.data
        return {"policy": torch.cat((data.joint_pos.torch, data.joint_vel.torch, self.pace.target), dim=1)}
