# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Rollouts made of random numbers, for tests of the advantage estimators."""

from __future__ import annotations

import torch

from cgrpo_lab.rollouts import GroupRollout


def empty_rollout(num_steps: int, num_envs: int, num_states: int) -> GroupRollout:
    """A rollout of one policy with nothing in it."""
    return GroupRollout(
        num_steps=num_steps,
        num_policies=1,
        envs_per_policy=num_envs,
        obs_dim=num_states,
        state_dim=num_states,
        action_dim=1,
        device="cpu",
    )


def random_rollout(
    num_steps: int, num_envs: int, num_states: int, *, seed: int, ends: float = 0.05, terminations: bool = True
) -> GroupRollout:
    """A rollout of independent normal states and rewards in which a share ``ends`` of the steps times out."""
    generator = torch.Generator().manual_seed(seed)
    rollout = empty_rollout(num_steps, num_envs, num_states)
    rollout.states.copy_(torch.randn(rollout.states.shape, generator=generator))
    rollout.rewards.copy_(torch.randn(rollout.rewards.shape, generator=generator) + rollout.states[:-1, :, 0])
    rollout.time_outs.copy_(torch.rand(rollout.rewards.shape, generator=generator) < ends)
    if terminations:
        rollout.terminated.copy_(torch.rand(rollout.rewards.shape, generator=generator) < ends)
        rollout.terminated &= ~rollout.time_outs
    count_episode_steps(rollout)
    return rollout


def count_episode_steps(rollout: GroupRollout) -> None:
    """Fill in the ages of the episodes from where they end; all begin with the rollout."""
    age = torch.zeros(rollout.num_envs, dtype=torch.long)
    for t in range(rollout.num_steps):
        rollout.episode_steps[t] = age
        age = torch.where(rollout.dones[t], 0, age + 1)


def permuted(rollout: GroupRollout, order: torch.Tensor) -> GroupRollout:
    """The same rollout with its environments in another order."""
    other = empty_rollout(*rollout.rewards.shape, rollout.states.shape[-1])
    for name in ("states", "rewards", "terminated", "time_outs", "episode_steps"):
        getattr(other, name).copy_(getattr(rollout, name)[:, order])
    return other
