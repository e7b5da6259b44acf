# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Shadow Hand with a block: turn it in the hand."""

import gymnasium as gym

gym.register(
    id="Shadow-Hand-Manipulate-Block-CGRPO",
    entry_point=f"{__name__}.env:ShadowHandBlockEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.env_cfg:ShadowHandBlockEnvCfg",
        "rsl_rl_cfg_entry_point": f"{__name__}.agents:BlockCGRPORunnerCfg",
        "rsl_rl_cgrpo_full_cfg_entry_point": f"{__name__}.agents:BlockCGRPOFullRunnerCfg",
        "rsl_rl_cgrpo_simple_cfg_entry_point": f"{__name__}.agents:BlockCGRPOSimpleRunnerCfg",
        "rsl_rl_ppo_cfg_entry_point": f"{__name__}.agents:BlockPPORunnerCfg",
        "rsl_rl_gpg_cfg_entry_point": f"{__name__}.baseline_agents:BlockGPGRunnerCfg",
        "rsl_rl_grpo_cfg_entry_point": f"{__name__}.baseline_agents:BlockGRPORunnerCfg",
        "rsl_rl_sac_cfg_entry_point": f"{__name__}.baseline_agents:BlockSACRunnerCfg",
        "rsl_rl_td3_cfg_entry_point": f"{__name__}.baseline_agents:BlockTD3RunnerCfg",
        "rsl_rl_trpo_cfg_entry_point": f"{__name__}.baseline_agents:BlockTRPORunnerCfg",
        "default_agent": "rsl_rl",
        "num_envs_by_device": {"cpu": 128, "cuda": 8192},
        "render_scene": f"{__name__}.rendering:BlockScene",
    },
)
