# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Ant: run forward on four legs."""

import gymnasium as gym

gym.register(
    id="Ant-CGRPO",
    entry_point=f"{__name__}.env:AntEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.env_cfg:AntEnvCfg",
        "rsl_rl_cfg_entry_point": f"{__name__}.agents:AntCGRPORunnerCfg",
        "rsl_rl_cgrpo_full_cfg_entry_point": f"{__name__}.agents:AntCGRPOFullRunnerCfg",
        "rsl_rl_cgrpo_simple_cfg_entry_point": f"{__name__}.agents:AntCGRPOSimpleRunnerCfg",
        "rsl_rl_ppo_cfg_entry_point": f"{__name__}.agents:AntPPORunnerCfg",
        "rsl_rl_gpg_cfg_entry_point": f"{__name__}.agents:AntGPGRunnerCfg",
        "rsl_rl_grpo_cfg_entry_point": f"{__name__}.agents:AntGRPORunnerCfg",
        "rsl_rl_sac_cfg_entry_point": f"{__name__}.agents:AntSACRunnerCfg",
        "rsl_rl_td3_cfg_entry_point": f"{__name__}.agents:AntTD3RunnerCfg",
        "rsl_rl_trpo_cfg_entry_point": f"{__name__}.agents:AntTRPORunnerCfg",
        "default_agent": "rsl_rl",
        "num_envs_by_device": {"cpu": 64, "cuda": 4096},
        "num_envs_by_agent": {"rsl_rl_grpo_cfg_entry_point": {"cpu": 16, "cuda": 512}},
        "render_scene": "cgrpo_tasks.locomotion.rendering:LocomotionScene",
    },
)
