# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/sim2sim.py``: judge an exported policy in an official environment, without Isaac Lab and torch.

Locomotion is judged in Gymnasium's environments, the hand with its block in Gymnasium-Robotics'
(:mod:`cgrpo_app.sim2sim_hand`), reaching in plain MuJoCo (:mod:`cgrpo_app.sim2sim_reach`).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from cgrpo_app import sim2sim_hand
from cgrpo_app.sim2sim_perturbation import Perturbation, all_perturbations
from cgrpo_app.sim2sim_policy import OnnxPolicy, PolicyMismatch, joint_action, load_session, read_metadata
from cgrpo_app.sim2sim_reach import PandaReach
from cgrpo_lab.whole_file import whole_file, why_unwritable

OFFICIAL = ("HalfCheetah", "Walker2d", "Ant")
REACH = "Franka-Reach"
ENVS = (
    *(f"{robot}-{version}" for robot in OFFICIAL for version in ("v4", "v5")),
    *(f"{name}-v1" for name in sim2sim_hand.NAMES),
    REACH,
)
"""Environments that policies are judged in."""

EXIT_USER_ERROR = 2
"""As of the other commands, whose errors cannot be imported without torch."""

Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


class Parser(argparse.ArgumentParser):
    """Reports bad arguments in one line, as that of the other commands, which cannot be imported without torch."""

    def error(self, message: str) -> None:
        """End with the message."""
        self.exit(EXIT_USER_ERROR, f"error: {message} (see --help)\n")


def main(argv: list[str] | None = None) -> None:
    """Judge a policy.

    Args:
        argv: Command line without the program's name; that of the process if None.

    Raises:
        SystemExit: With exit code 2 and one line on stderr if the options cannot be used.
    """
    parser = Parser(description=__doc__.split(": ", 1)[1], formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=Path, required=True, help="ONNX file of scripts/export.py or a run folder.")
    parser.add_argument("--env", required=True, help=f"One of {', '.join(ENVS)}.")
    parser.add_argument("--episodes", type=int, default=100, help="Number of episodes.")
    parser.add_argument("--robustness", type=int, default=0, help="Episodes under each perturbation; none by default.")
    parser.add_argument("--seed", type=int, default=10_000, help="Seed of the first episode's start.")
    parser.add_argument(
        "--reference", type=Path, help="Result of evaluate.py or report.json to compare the return with."
    )
    parser.add_argument("--json", type=Path, help="File to write the result to.")
    args = parser.parse_args(argv)
    try:
        if args.json is not None and (reason := why_unwritable(args.json)):
            raise PolicyMismatch(f"--json {args.json}: cannot be written ({reason}); choose another place.")
        result = judge(args)
        _print(result, args)
        if args.json is not None:
            with whole_file(args.json) as part:
                part.write_text(json.dumps(result, indent=2) + "\n")
    except (PolicyMismatch, OSError) as error:
        parser.exit(EXIT_USER_ERROR, f"error: {error}\n")


def judge(args: argparse.Namespace) -> dict[str, Any]:
    """Run all episodes.

    Args:
        args: Parsed arguments of :func:`main`.

    Raises:
        PolicyMismatch: If policy and environment do not fit or a number cannot be used.
        OSError: If a file cannot be read.
    """
    if args.env not in ENVS:
        raise PolicyMismatch(f"--env {args.env}: there are {', '.join(ENVS)}.")
    for name, least in (("episodes", 1), ("robustness", 0), ("seed", 0)):
        if vars(args)[name] < least:
            raise PolicyMismatch(f"--{name} {vars(args)[name]}: must be at least {least}.")
    if args.policy.is_dir():
        args.policy = args.policy / "exported" / "policy.onnx"
    if not args.policy.is_file():
        raise PolicyMismatch(f"--policy {args.policy}: there is no such file.")
    reference = None if args.reference is None else read_return(args.reference)
    env = make_env(args.env, args.policy)
    policy = OnnxPolicy(args.policy, args.env, env.unwrapped.model, env.observation_space.shape[0])
    result = run(env, policy, args.episodes, args.seed, Perturbation())
    result["latency_s"] = {f"p{q}": float(np.quantile(policy.latencies, q / 100)) for q in (50, 99)}
    if reference is not None:
        result["isaac_lab_return"], result["return_ratio"] = reference, result["return"]["mean"] / reference
    if args.robustness > 0:
        result["perturbed"] = {}
        for perturbation in all_perturbations():
            changed = make_env(args.env, args.policy)
            perturbation.apply(changed.unwrapped.model)
            result["perturbed"][perturbation.name] = run(changed, policy, args.robustness, args.seed, perturbation)
    names = ("gymnasium", "mujoco", "onnxruntime", "numpy")
    return {
        **result,
        "env": args.env,
        "policy": str(args.policy),
        "task": policy.about["task"],
        "seed": args.seed,
        "command": " ".join(sys.argv),
        "versions": {name: version(name) for name in names},
        "cpu_cores": len(os.sched_getaffinity(0)),
    }


def read_return(reference: Path) -> float:
    """Return the mean return that ``evaluate.py`` or ``report.json`` tells.

    Raises:
        PolicyMismatch: If the file holds none, or one of zero, of which nothing is a share.
        OSError: If it cannot be read.
    """
    try:
        content = json.loads(reference.read_text())
        mean = float(content.get("final_policy", content)["return"]["mean"])
    except (ValueError, KeyError, TypeError, AttributeError):
        mean = 0.0
    if mean == 0.0:
        raise PolicyMismatch(
            f"--reference {reference}: holds no mean return to compare with; "
            "give the report.json of a run or what evaluate.py wrote."
        )
    return mean


def make_env(env_id: str, policy: Path) -> gym.Env:
    """Make an official environment, or the reaching task by the rules that its policies carry.

    Raises:
        PolicyMismatch: If the policy carries no rules, or more than one action term.
    """
    if env_id.startswith(sim2sim_hand.NAMES):
        return sim2sim_hand.HandBlock(env_id)
    if env_id != REACH:
        with warnings.catch_warnings():
            # Published figures are of v4, so it is asked for knowingly.
            warnings.filterwarnings("ignore", message=".*is out of date", category=DeprecationWarning)
            return gym.make(env_id)
    about = read_metadata(policy, load_session(policy))
    if "rules" not in about:
        raise PolicyMismatch(f"{policy}: does not tell the task's rules; export it again with scripts/export.py.")
    return PandaReach(about["rules"], joint_action(env_id, about))


def run(env: gym.Env, policy: OnnxPolicy, episodes: int, seed: int, perturbation: Perturbation) -> dict[str, Any]:
    """Run episodes and summarise them with the keys of ``evaluate.py``.

    Args:
        env: Official environment with its time limit, its model already perturbed.
        policy: Policy to judge.
        episodes: Number of episodes.
        seed: Seed of the first one; the others count on from it.
        perturbation: Delay and noise to apply.
    """
    draw = np.random.default_rng(seed)
    returns, lengths, outcomes = [], [], []
    for episode in range(episodes):
        observation, _ = env.reset(seed=seed + episode)
        policy.begin_episode()
        pipeline = perturbation.pipeline(policy.neutral)
        total, length, ended = 0.0, 0, False
        while not ended:
            if perturbation.noise > 0.0:
                observation = observation + perturbation.noise * draw.standard_normal(observation.shape)
            pipeline.append(policy(observation))
            observation, reward, terminated, truncated, info = env.step(pipeline.popleft())
            total, length, ended = total + float(reward), length + 1, terminated or truncated
        returns.append(total)
        lengths.append(length)
        outcomes.append(info.get("outcome", {}))
    summary = {"episodes": episodes, "return": _mean_std(returns), "length": _mean_std(lengths)}
    return summary | {name: _summarize([outcome[name] for outcome in outcomes]) for name in outcomes[0]}


def _summarize(values: list[bool] | list[float]) -> dict[str, float]:
    """Rate and 95 % Wilson interval of flags, mean and deviation of figures, as in ``cgrpo_lab.evaluation``."""
    if not isinstance(values[0], bool):
        return _mean_std(values)
    trials, rate = len(values), sum(values) / len(values)
    scale = 1.0 + Z_95**2 / trials
    center = (rate + Z_95**2 / (2 * trials)) / scale
    half = Z_95 / scale * math.sqrt(rate * (1.0 - rate) / trials + Z_95**2 / (4 * trials**2))
    return {"rate": rate, "low": max(0.0, center - half), "high": min(1.0, center + half)}


def _mean_std(values: list[float]) -> dict[str, float]:
    """Mean and sample standard deviation."""
    return {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}


def _print(result: dict[str, Any], args: argparse.Namespace) -> None:
    """One line per figure."""
    print(f"{args.policy} in {args.env}: {result['episodes']} episodes")
    for name, value in result.items():
        if isinstance(value, dict) and "rate" in value:
            print(f"  {name:<24}{value['rate']:10.1%} (95 % interval {value['low']:.1%} to {value['high']:.1%})")
        elif isinstance(value, dict) and "mean" in value:
            print(f"  {name:<24}{value['mean']:10.4g} ± {value['std']:.4g}")
    if "return_ratio" in result:
        print(f"  {'ratio to Isaac Lab':<24}{result['return_ratio']:10.1%}")
    for name, value in result["latency_s"].items():
        print(f"  {'inference ' + name:<24}{1e6 * value:10.1f} us")
    for name, perturbed in result.get("perturbed", {}).items():
        share = perturbed["return"]["mean"] / result["return"]["mean"]
        success = f", success {perturbed['success']['rate']:.1%}" if "success" in perturbed else ""
        mean, std = perturbed["return"]["mean"], perturbed["return"]["std"]
        print(f"  {name:<24}{mean:10.4g} ± {std:<8.4g} ({share:.0%}){success}")
