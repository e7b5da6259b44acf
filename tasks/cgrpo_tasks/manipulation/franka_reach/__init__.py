# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Franka Panda reach: bring the hand to a commanded pose and hold it there."""

import gymnasium as gym

gym.register(
    id="Franka-Reach-CGRPO",
    entry_point=f"{__name__}.env:FrankaReachEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.env_cfg:FrankaReachEnvCfg",
        "rsl_rl_cfg_entry_point": f"{__name__}.agents:FrankaReachCGRPORunnerCfg",
        "rsl_rl_cgrpo_full_cfg_entry_point": f"{__name__}.agents:FrankaReachCGRPOFullRunnerCfg",
        "rsl_rl_cgrpo_simple_cfg_entry_point": f"{__name__}.agents:FrankaReachCGRPOSimpleRunnerCfg",
        "rsl_rl_ppo_cfg_entry_point": f"{__name__}.agents:FrankaReachPPORunnerCfg",
        "rsl_rl_gpg_cfg_entry_point": f"{__name__}.baseline_agents:FrankaReachGPGRunnerCfg",
        "rsl_rl_grpo_cfg_entry_point": f"{__name__}.baseline_agents:FrankaReachGRPORunnerCfg",
        "rsl_rl_sac_cfg_entry_point": f"{__name__}.baseline_agents:FrankaReachSACRunnerCfg",
        "rsl_rl_td3_cfg_entry_point": f"{__name__}.baseline_agents:FrankaReachTD3RunnerCfg",
        "rsl_rl_trpo_cfg_entry_point": f"{__name__}.baseline_agents:FrankaReachTRPORunnerCfg",
        "default_agent": "rsl_rl",
        "num_envs_by_device": {"cpu": 128, "cuda": 4096},
        "render_scene": f"{__name__}.rendering:ReachScene",
        "describe_rules": f"{__name__}.rules:describe",
        "observation_units": {
            "joint_pos": "rad",
            "joint_vel": "rad/s",
            "pose_command": "m (3), unit quaternion x y z w (4)",
            "pose_error": "m (3), rotation vector rad (3)",
            "actions": "1",
        },
        "observation_notes": {
            "joint_pos": "measured minus the posture of a zero action (the action term's offset)",
            "pose_command": "base frame; sign of the quaternion as docs/tasks/franka_reach.md says",
            "pose_error": "commanded minus current, base frame, rotation vector of the signed quaternions",
            "actions": "the policy's previous output",
        },
    },
)
