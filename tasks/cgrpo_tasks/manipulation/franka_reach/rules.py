# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The rules of the reaching task as plain values, for judges that do not run Isaac Lab."""

from __future__ import annotations

from typing import Any

from isaaclab.envs import ManagerBasedRLEnv

from .hand_pose_command import HandPoseCommand


def describe(env: ManagerBasedRLEnv) -> dict[str, Any]:
    """Read everything from the environment that makes an episode what it is.

    Args:
        env: The unwrapped environment.

    Returns:
        Times [s] and steps, drives of the arm [N m/rad, N m s/rad, N m], starts [rad], goals and success [m, rad],
        table [m], None without one, and reward terms with weights per second; joints in the order of the action.
    """
    command: HandPoseCommand = env.command_manager.get_term("ee_pose")
    # An override such as env.scene.table=null leaves a term out.
    goal, start, table = command.cfg, env.cfg.events.reset_arm, env.cfg.scene.table
    robot = env.scene["robot"]
    arm, _ = robot.find_joints(list(env.cfg.actions.arm_action.joint_names), preserve_order=True)
    data = robot.data

    def of_arm(values) -> list[float]:
        return values.torch[0, arm].tolist()

    return {
        "physics_dt": env.physics_dt,
        "decimation": env.cfg.decimation,
        "episode_steps": env.max_episode_length,
        "drives": {
            "stiffness": of_arm(data.joint_stiffness),
            "damping": of_arm(data.joint_damping),
            "effort_limit": of_arm(data.joint_effort_limits),
        },
        "start": {
            "joint_pos": of_arm(data.default_joint_pos),
            "offset_range": [0.0, 0.0] if start is None else list(start.params["position_range"]),
        },
        "goal": {
            "body": goal.body_name,
            "ranges": {name: list(values) for name, values in goal.ranges.to_dict().items()},
            "heading_joints": list(goal.heading_joints),
            "zero_heading": goal.zero_heading,
            "success": {name: list(thresholds) for name, thresholds in goal.success_thresholds.items()},
        },
        "table": None if table is None else {"pos": list(table.init_state.pos), "size": list(table.spawn.size)},
        "rewards": {
            name: {"weight": term.weight, "std": term.params.get("std")}
            for name, term in vars(env.cfg.rewards).items()
            if term is not None
        },
    }
