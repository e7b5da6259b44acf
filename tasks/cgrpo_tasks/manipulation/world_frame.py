# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Tasks whose starts, goals and observations are in world coordinates."""

from isaaclab.scene import InteractiveSceneCfg

from cgrpo_lab.validation import ConfigError


def check_common_origin(scene: InteractiveSceneCfg) -> None:
    """Check that all environments lie at the world's origin, where their coordinates are the world's.

    Args:
        scene: Scene of the environment.

    Raises:
        ConfigError: If they lie apart.
    """
    if scene.env_spacing != 0.0:
        raise ConfigError(
            f"env.scene.env_spacing={scene.env_spacing}: must be 0.0, as this task's starts, goals and observations "
            "are in world coordinates; environments never meet, wherever they are."
        )
