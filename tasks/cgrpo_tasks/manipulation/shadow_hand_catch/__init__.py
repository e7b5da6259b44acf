# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Two Shadow Hands side by side: throw an object from the right one into the left one."""

import gymnasium as gym

gym.register(
    id="Shadow-Hand-Catch-Abreast-CGRPO",
    entry_point=f"{__name__}.env:ShadowHandCatchEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.env_cfg:ShadowHandCatchEnvCfg",
        "rsl_rl_cfg_entry_point": f"{__name__}.agents:CatchCGRPORunnerCfg",
        "rsl_rl_cgrpo_full_cfg_entry_point": f"{__name__}.agents:CatchCGRPOFullRunnerCfg",
        "rsl_rl_cgrpo_simple_cfg_entry_point": f"{__name__}.agents:CatchCGRPOSimpleRunnerCfg",
        "rsl_rl_ppo_cfg_entry_point": f"{__name__}.agents:CatchPPORunnerCfg",
        "rsl_rl_gpg_cfg_entry_point": f"{__name__}.baseline_agents:CatchGPGRunnerCfg",
        "rsl_rl_grpo_cfg_entry_point": f"{__name__}.baseline_agents:CatchGRPORunnerCfg",
        "rsl_rl_sac_cfg_entry_point": f"{__name__}.baseline_agents:CatchSACRunnerCfg",
        "rsl_rl_td3_cfg_entry_point": f"{__name__}.baseline_agents:CatchTD3RunnerCfg",
        "rsl_rl_trpo_cfg_entry_point": f"{__name__}.baseline_agents:CatchTRPORunnerCfg",
        "default_agent": "rsl_rl",
        "num_envs_by_device": {"cpu": 256, "cuda": 4096},
        "render_scene": f"{__name__}.rendering:CatchScene",
    },
)
