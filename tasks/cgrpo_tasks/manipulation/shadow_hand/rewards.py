# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Rewards of the block task."""

import torch

from .env_cfg import BlockEnvCfg

_REORIENT_ONLY = ("rotation_weight", "rotation_offset", "action_weight", "goal_bonus", "drop_penalty")

UNREAD = {"dense": _REORIENT_ONLY, "sparse": ("distance_weight", *_REORIENT_ONLY), "reorient": ()}
"""Weights by the kinds of reward that do without them."""

REWARDS = tuple(UNREAD)


def reward(
    cfg: BlockEnvCfg,
    distance: torch.Tensor,
    angle: torch.Tensor,
    reached: torch.Tensor,
    dropped: torch.Tensor,
    actions: torch.Tensor,
) -> torch.Tensor:
    """Return the rewards of a step, ``[E]``.

    ``dense`` and ``sparse`` are ``compute_reward`` of Gymnasium-Robotics' ``manipulate.py``, ``reorient`` is
    ``compute_rewards`` of Isaac Lab's ``reorient_direct_env.py``.

    Args:
        cfg: Kind and weights.
        distance: From the goal [m], ``[E]``.
        angle: From the goal [rad], ``[E]``.
        reached: Whether the goal is reached, bool ``[E]``.
        dropped: Whether the block was dropped, bool ``[E]``.
        actions: Between -1 and 1, ``[E, 20]``.
    """
    if cfg.reward == "sparse":
        return reached.float() - 1.0
    if cfg.reward == "dense":
        return cfg.distance_weight * distance - angle
    return (
        cfg.distance_weight * distance
        + cfg.rotation_weight / (angle + cfg.rotation_offset)
        + cfg.action_weight * actions.square().sum(dim=-1)
        + cfg.goal_bonus * reached
        + cfg.drop_penalty * dropped
    )
