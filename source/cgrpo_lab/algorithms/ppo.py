# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""rsl_rl's PPO with what :class:`CGRPORunner` asks of an algorithm beside rsl_rl's own runner."""

from typing import Any

import rsl_rl.algorithms
import torch


class PPO(rsl_rl.algorithms.PPO):
    """The critic baseline: rsl_rl's PPO, its learning untouched."""

    metrics: dict[str, torch.Tensor] = {}
    """PPO has no group diagnostics."""

    def start_episodes(self, ages: torch.Tensor) -> None:
        """PPO does not look at the age of episodes."""

    def skip_update(self) -> None:
        """Let an iteration pass without learning from its rollout."""
        self.storage.clear()

    def save(self) -> dict[str, Any]:
        """Everything PPO needs to go on, the adapted learning rate included."""
        return {**super().save(), "algorithm": "ppo", "learning_rate": self.learning_rate}

    def load(self, loaded_dict: dict[str, Any], load_cfg: dict[str, bool] | None = None, strict: bool = True) -> bool:
        """Restore a checkpoint of this class or of rsl_rl's own runner.

        Raises:
            ValueError: If the checkpoint was not written by PPO.
        """
        if "actor_state_dict" not in loaded_dict or "critic_state_dict" not in loaded_dict:
            raise ValueError("checkpoint: was not written by PPO; choose the agent it was trained with (--agent).")
        restored = super().load(loaded_dict, load_cfg, strict)
        self.learning_rate = loaded_dict.get("learning_rate", self.learning_rate)
        return restored
