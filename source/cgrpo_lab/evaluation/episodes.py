# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Evaluation of a deterministic policy over whole episodes, every environment counted equally often."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

Z_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


@dataclass
class EpisodeResults:
    """Results of n episodes."""

    returns: list[float]
    """Undiscounted return of each episode."""
    lengths: list[int]
    """Length of each episode in env steps."""
    outcomes: dict[str, list[bool] | list[float]] = field(default_factory=dict)
    """Outcomes by name: flags such as ``success``, figures such as ``position_error`` [m]."""


def evaluate(env: VecEnv, policy: Callable[[TensorDict], torch.Tensor], episodes: int) -> EpisodeResults:
    """Run ``episodes`` episodes, the same number in every environment up to a remainder.

    Short episodes finish first; counting the first that come in would favour them. So environment e contributes its
    first ``episodes // E`` episodes, and one more where e is below the remainder.

    Args:
        env: Environment with E copies; it is reset first.
        policy: Maps observation groups to actions [E, A].
        episodes: Number of episodes.

    Returns:
        The results, environment by environment.
    """
    device, envs = env.device, env.num_envs
    quota = torch.full((envs,), episodes // envs, device=device)
    quota[: episodes % envs] += 1
    finished = torch.zeros_like(quota)
    running_return, running_length = torch.zeros(envs, device=device), torch.zeros(envs, device=device)
    records: list[tuple[torch.Tensor, dict[str, torch.Tensor]]] = []
    with torch.inference_mode():
        obs, _ = env.reset()
        while bool((finished < quota).any()):
            obs, rewards, dones, extras = env.step(policy(obs))
            running_return += rewards
            running_length += 1.0
            counted = dones.bool() & (finished < quota)
            if bool(counted.any()):
                values = {"return": running_return, "length": running_length}
                values |= extras.get("outcome", {}) | extras.get("outcome_value", {})
                index = counted.nonzero().squeeze(1)
                records.append((index.cpu(), {name: value[index].cpu() for name, value in values.items()}))
            finished += dones.long()
            running_return.masked_fill_(dones.bool(), 0.0)
            running_length.masked_fill_(dones.bool(), 0.0)
    order = torch.cat([index for index, _ in records]).argsort(stable=True)
    columns = {name: torch.cat([values[name] for _, values in records])[order].tolist() for name in records[0][1]}
    returns, lengths = columns.pop("return"), columns.pop("length")
    return EpisodeResults(returns, [int(length) for length in lengths], columns)


def wilson_interval(successes: float, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson score interval of a success rate (Wilson 1927), 95 % by default.

    It stays within [0, 1] and is sound at rates near 0 and 1, where the normal approximation is not.
    """
    rate = successes / trials
    center = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    return max(0.0, center - half), min(1.0, center + half)


def summarize(results: EpisodeResults) -> dict[str, object]:
    """Summary as nested plain values.

    Returns:
        ``episodes``; ``return`` and ``length`` with ``mean`` and ``std``; for every flag (``success``,
        ``success_strict``) ``rate``, ``low`` and ``high`` (95 % interval); for every figure ``mean`` and ``std``.
    """
    episodes = len(results.returns)
    summary: dict[str, object] = {
        "episodes": episodes,
        "return": _mean_std(results.returns),
        "length": _mean_std([float(length) for length in results.lengths]),
    }
    for name, values in results.outcomes.items():
        if isinstance(values[0], bool):
            low, high = wilson_interval(sum(values), episodes)
            summary[name] = {"rate": sum(values) / episodes, "low": low, "high": high}
        else:
            summary[name] = _mean_std(values)
    return summary


def _mean_std(values: list[float]) -> dict[str, float]:
    """Mean and sample standard deviation."""
    tensor = torch.tensor(values, dtype=torch.float64)
    return {"mean": float(tensor.mean()), "std": float(tensor.std()) if len(values) > 1 else 0.0}
