# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Walker2d: walk forward on two legs without falling, in a plane."""

import gymnasium as gym

gym.register(
    id="Walker2d-CGRPO",
    entry_point=f"{__name__}.env:Walker2dEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.env_cfg:Walker2dEnvCfg",
        "rsl_rl_cfg_entry_point": f"{__name__}.agents:Walker2dCGRPORunnerCfg",
        "rsl_rl_cgrpo_full_cfg_entry_point": f"{__name__}.agents:Walker2dCGRPOFullRunnerCfg",
        "rsl_rl_cgrpo_simple_cfg_entry_point": f"{__name__}.agents:Walker2dCGRPOSimpleRunnerCfg",
        "rsl_rl_ppo_cfg_entry_point": f"{__name__}.agents:Walker2dPPORunnerCfg",
        "rsl_rl_gpg_cfg_entry_point": f"{__name__}.agents:Walker2dGPGRunnerCfg",
        "rsl_rl_grpo_cfg_entry_point": f"{__name__}.agents:Walker2dGRPORunnerCfg",
        "rsl_rl_sac_cfg_entry_point": f"{__name__}.agents:Walker2dSACRunnerCfg",
        "rsl_rl_td3_cfg_entry_point": f"{__name__}.agents:Walker2dTD3RunnerCfg",
        "rsl_rl_trpo_cfg_entry_point": f"{__name__}.agents:Walker2dTRPORunnerCfg",
        "default_agent": "rsl_rl",
        "num_envs_by_device": {"cpu": 64, "cuda": 4096},
        "num_envs_by_agent": {"rsl_rl_grpo_cfg_entry_point": {"cpu": 16, "cuda": 512}},
        "render_scene": "cgrpo_tasks.locomotion.rendering:LocomotionScene",
    },
)
