# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Returns and advantages of a rollout that was cut at both ends and may contain episode ends.

Symbols: ``T`` steps, ``E`` environments, gamma discount, lambda trace decay, G return-to-go, V value.

What follows the last reward of a step is a bootstrap value, by rsl_rl's convention (``PPO.process_env_step``):

=====================  =========================================================================================
the episode ...        value after the reward
=====================  =========================================================================================
goes on                that of ``states[t+1]``
terminated             zero: nothing follows (also where the clock ran out in the same step)
was cut by the clock   that of ``states[t]``: ``states[t+1]`` already belongs to the next episode
=====================  =========================================================================================
"""

from __future__ import annotations

import torch
from torch import Tensor


def successor(values: Tensor, terminated: Tensor, time_outs: Tensor) -> Tensor:
    """Pick what follows each step: the next entry, the present one at a time-out, zero at a termination.

    Args:
        values: Values, or features, of the states, ``[T+1, E, ...]``.
        terminated: True ends of the episode, ``[T, E]`` bool.
        time_outs: Ends by the clock, ``[T, E]`` bool.

    Returns:
        The successors, ``[T, E, ...]``.
    """
    trailing = (1,) * (values.dim() - terminated.dim())
    time_outs = time_outs.reshape(time_outs.shape + trailing)
    terminated = terminated.reshape(terminated.shape + trailing)
    return torch.where(time_outs, values[:-1], values[1:]).masked_fill(terminated, 0.0)


def decayed_sum_to_go(terms: Tensor, decay: Tensor, last: Tensor) -> Tensor:
    """Evaluate ``y_t = x_t + c_t * y_{t+1}`` backwards in time.

    Args:
        terms: The terms ``x``, ``[T, E]``.
        decay: The factors ``c``, ``[T, E]``; zero cuts the sum.
        last: The value ``y_T`` after the last step, ``[E]``.

    Returns:
        The sums ``y``, ``[T, E]``.
    """
    sums = torch.empty_like(terms)
    for t in reversed(range(len(terms))):
        last = torch.addcmul(terms[t], decay[t], last, out=sums[t])
    return sums


def return_to_go(
    rewards: Tensor,
    terminated: Tensor,
    time_outs: Tensor,
    *,
    gamma: float,
    tail_values: Tensor,
    time_out_values: Tensor,
) -> Tensor:
    """Discounted return-to-go of every step (eq 6, ``G_i(s_t)``), with a bootstrap where the rollout was cut.

    Args:
        rewards: Rewards, ``[T, E]``.
        terminated: True ends of the episode, ``[T, E]`` bool.
        time_outs: Ends by the clock, ``[T, E]`` bool.
        gamma: Discount factor of one step.
        tail_values: Value of the state after the last step, ``[E]``.
        time_out_values: Value of ``states[t]``, ``[T, E]``; read only at time-outs.

    Returns:
        The returns, ``[T, E]``.
    """
    cut_by_clock = time_outs & ~terminated
    terms = rewards + gamma * time_out_values.masked_fill(~cut_by_clock, 0.0)
    decay = gamma * (~(terminated | time_outs)).to(rewards.dtype)
    return decayed_sum_to_go(terms, decay, tail_values)


def generalised_advantage(
    rewards: Tensor,
    values: Tensor,
    terminated: Tensor,
    time_outs: Tensor,
    *,
    gamma: float,
    lam: float,
) -> Tensor:
    """Lambda-weighted advantages (Schulman et al. 2016, eq 16); equal to ``rsl_rl.algorithms.PPO.compute_returns``.

    Args:
        rewards: Rewards, ``[T, E]``.
        values: Values of the states, ``[T+1, E]``.
        terminated: True ends of the episode, ``[T, E]`` bool.
        time_outs: Ends by the clock, ``[T, E]`` bool.
        gamma: Discount factor of one step.
        lam: Trace decay lambda: 0 gives one-step temporal differences, 1 the return minus the value.

    Returns:
        The advantages, ``[T, E]``, not normalised.
    """
    differences = rewards + gamma * successor(values, terminated, time_outs) - values[:-1]
    decay = gamma * lam * (~(terminated | time_outs)).to(rewards.dtype)
    return decayed_sum_to_go(differences, decay, torch.zeros_like(values[-1]))
