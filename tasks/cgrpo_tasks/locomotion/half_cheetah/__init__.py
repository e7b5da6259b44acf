# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""HalfCheetah: run forward as fast as possible, in a plane."""

import gymnasium as gym

gym.register(
    id="HalfCheetah-CGRPO",
    entry_point=f"{__name__}.env:HalfCheetahEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.env_cfg:HalfCheetahEnvCfg",
        "rsl_rl_cfg_entry_point": f"{__name__}.agents:HalfCheetahCGRPORunnerCfg",
        "rsl_rl_cgrpo_full_cfg_entry_point": f"{__name__}.agents:HalfCheetahCGRPOFullRunnerCfg",
        "rsl_rl_cgrpo_simple_cfg_entry_point": f"{__name__}.agents:HalfCheetahCGRPOSimpleRunnerCfg",
        "rsl_rl_ppo_cfg_entry_point": f"{__name__}.agents:HalfCheetahPPORunnerCfg",
        "rsl_rl_gpg_cfg_entry_point": f"{__name__}.agents:HalfCheetahGPGRunnerCfg",
        "rsl_rl_grpo_cfg_entry_point": f"{__name__}.agents:HalfCheetahGRPORunnerCfg",
        "rsl_rl_sac_cfg_entry_point": f"{__name__}.agents:HalfCheetahSACRunnerCfg",
        "rsl_rl_td3_cfg_entry_point": f"{__name__}.agents:HalfCheetahTD3RunnerCfg",
        "rsl_rl_trpo_cfg_entry_point": f"{__name__}.agents:HalfCheetahTRPORunnerCfg",
        "default_agent": "rsl_rl",
        "num_envs_by_device": {"cpu": 64, "cuda": 4096},
        "num_envs_by_agent": {"rsl_rl_grpo_cfg_entry_point": {"cpu": 16, "cuda": 512}},
        "render_scene": "cgrpo_tasks.locomotion.rendering:LocomotionScene",
    },
)
