# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""One case of the learning benchmark: ``python -m cgrpo_app.benchmarks.learning_case SETTINGS``.

Settings are a JSON object of the fields of :class:`Case`. The last line of the output is a JSON object of the figures.
"""

import contextlib
import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from cgrpo_app.benchmarks.peak_memory import PeakMemory
from cgrpo_lab.algorithms import CGRPO
from cgrpo_lab.algorithms.ppo import PPO

END_SHARE = 0.01
"""Share of steps that end an episode."""


@dataclass
class Case:
    """What is timed; the defaults are the locomotion tasks' settings on HalfCheetah."""

    case: str = "ours"
    """``ours`` (N policies in one module), ``separate`` (N algorithms of one policy each) or ``ppo`` (rsl_rl's)."""
    num_policies: int = 1
    """Number of policies N, among which the environments are divided."""
    num_groups: int = 1
    """Number of policy groups K, only of ``ours``."""
    num_envs: int = 64
    """Number of environments E."""
    num_steps: int = 32
    """Steps per environment and iteration T."""
    obs_dim: int = 17
    """Size of an observation D."""
    action_dim: int = 6
    """Size of an action A."""
    hidden: int = 64
    """Width of the two hidden layers."""
    epochs: int = 10
    """Passes over the rollout."""
    mini_batches: int = 8
    """Minibatches per pass."""
    repeats: int = 5
    """Iterations after the first, of which the quickest counts: other load on the machine comes and goes."""
    device: str = "cpu"
    """Device to learn on."""


class Recording(VecEnv):
    """Observations, rewards and ends that do not depend on the actions, so that every case learns from the same."""

    def __init__(self, case: Case, num_envs: int) -> None:
        """Draw one iteration, which is repeated."""
        generator = torch.Generator().manual_seed(0)
        shape = (case.num_steps, num_envs)
        self.num_envs, self.num_actions, self.device = num_envs, case.action_dim, case.device
        observations = torch.randn(case.num_steps + 1, num_envs, case.obs_dim, generator=generator)
        # Rewards that observations predict, as a robot's do.
        self.rewards = (observations[1:, :, 0] + 0.1 * torch.randn(shape, generator=generator)).to(case.device)
        self.dones = (torch.rand(shape, generator=generator) < END_SHARE).long().to(case.device)
        self.observations = observations.to(case.device)
        self.time_outs = torch.zeros(num_envs, dtype=torch.bool, device=case.device)

    def get_observations(self, step: int = 0) -> TensorDict:
        """Observations before a step."""
        return TensorDict({"policy": self.observations[step]}, batch_size=[self.num_envs], device=self.device)

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Not asked: :func:`fill` reads the recording."""
        raise NotImplementedError


def make_learner(case: Case, env: Recording) -> CGRPO | PPO:
    """The algorithm of a case with one policy, or of ours with all.

    Args:
        case: What is timed.
        env: The recording it learns from.
    """
    algorithm = {"num_learning_epochs": case.epochs, "num_mini_batches": case.mini_batches}
    hidden = {"hidden_dims": [case.hidden, case.hidden], "activation": "tanh"}
    runner = {"num_steps_per_env": case.num_steps, "max_iterations": 1000, "seed": 0, "multi_gpu": None}
    if case.case != "ppo":
        policies = case.num_policies if case.case == "ours" else 1
        groups = case.num_groups if case.case == "ours" else 1
        cfg = {
            "algorithm": {**algorithm, "num_policies": policies, "num_groups": groups, "schedule": "fixed"},
            "group_policy": hidden,
            "obs_groups": {"actor": ["policy"]},
        }
        return CGRPO.construct_algorithm(env.get_observations(), env, {**cfg, **runner}, case.device)
    model = {"class_name": "MLPModel", **hidden, "obs_normalization": True}
    distribution = {
        "class_name": "cgrpo_lab.policies.squashed_gaussian:SquashedGaussianDistribution",
        "init_std": 0.6,
        "std_type": "log",
    }
    cfg = {
        "algorithm": {
            "class_name": "cgrpo_lab.algorithms.ppo:PPO",
            "entropy_coef": 0.0,
            "schedule": "fixed",
            **algorithm,
        },
        "actor": {**model, "distribution_cfg": distribution},
        "critic": model,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
    }
    return PPO.construct_algorithm(env.get_observations(), env, {**cfg, **runner}, case.device)


def fill(learner: CGRPO | PPO, env: Recording) -> None:
    """Give a learner one rollout."""
    with torch.inference_mode():
        for step in range(len(env.rewards)):
            learner.act(env.get_observations(step))
            learner.process_env_step(
                env.get_observations(step + 1), env.rewards[step], env.dones[step], {"time_outs": env.time_outs}
            )


def time_learning(learners: list[CGRPO | PPO], env: Recording) -> dict[str, float]:
    """Learn once from a rollout, with every learner.

    Returns:
        Seconds, seconds of processor time, and what of the seconds is spent on the advantages.
    """
    _synchronize(env.device)
    begin, cpu_begin = time.perf_counter(), time.process_time()
    for learner in learners:
        with torch.inference_mode():
            learner.compute_returns(env.get_observations(len(env.rewards)))
    _synchronize(env.device)
    middle = time.perf_counter()
    for learner in learners:
        learner.update()
    _synchronize(env.device)
    return {
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": time.process_time() - cpu_begin,
        "advantage_seconds": middle - begin,
    }


def run(case: Case) -> list[dict[str, float]]:
    """Learn ``repeats`` times after a first time that loads what is loaded on first use; figures of each."""
    count = case.num_policies if case.case == "separate" else 1
    env = Recording(case, case.num_envs // count)
    with contextlib.redirect_stdout(None):  # rsl_rl prints its models
        learners = [make_learner(case, env) for _ in range(count)]
    times = []
    for _ in range(case.repeats + 1):
        for learner in learners:
            learner.train_mode()
            fill(learner, env)
        times.append(time_learning(learners, env))
    return times[1:]


def main(case: Case) -> dict[str, float]:
    """Measure one case.

    Returns:
        What :func:`time_learning` returns, the least of each, and the peak memory of learners and learning [MB].
    """
    torch.set_num_threads(1)
    # Imports and the work space of libraries are nobody's in particular.
    run(dataclasses.replace(case, num_envs=2 * case.num_policies, num_steps=8, epochs=1, mini_batches=1, repeats=0))
    memory = PeakMemory(torch.device(case.device))
    times = run(case)
    figures = {name: min(each[name] for each in times) for name in times[0]}
    return {**figures, "memory_mb": memory.read()}


def _synchronize(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    print(json.dumps(main(Case(**json.loads(sys.argv[1])))))
