# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""A task as users have them: a package of their own with Isaac Lab's physics, rsl_rl's PPO, and nothing of this project
but a robot that needs no download.
"""

import gymnasium as gym

gym.register(
    id="Own-Runner",
    entry_point=f"{__name__}.env:RunnerEnv",
    disable_env_checker=True,
    kwargs={
        "env_cfg_entry_point": f"{__name__}.env:RunnerEnvCfg",
        "rsl_rl_cfg_entry_point": f"{__name__}.agents:RunnerPPORunnerCfg",
    },
)
