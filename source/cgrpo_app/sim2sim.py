# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/sim2sim.py``: judge an exported policy in Gymnasium's official environment, without Isaac Lab and torch."""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from cgrpo_app.sim2sim_perturbation import Perturbation, all_perturbations
from cgrpo_app.sim2sim_policy import LAYOUTS, OnnxPolicy, PolicyMismatch

EXIT_USER_ERROR = 2
"""As of the other commands, whose errors cannot be imported without torch."""


def main(argv: list[str] | None = None) -> None:
    """Judge a policy.

    Args:
        argv: Command line without the program's name; that of the process if None.

    Raises:
        SystemExit: With exit code 2 and one line on stderr if the options cannot be used.
    """
    parser = argparse.ArgumentParser(description=__doc__.split(": ", 1)[1])
    parser.add_argument("--policy", type=Path, required=True, help="ONNX file of scripts/export.py or a run folder.")
    parser.add_argument("--env", required=True, help=f"Official environment: {', '.join(LAYOUTS)}, each -v4 or -v5.")
    parser.add_argument("--episodes", type=int, default=100, help="Number of episodes.")
    parser.add_argument("--robustness", type=int, default=0, help="Episodes under each perturbation; none by default.")
    parser.add_argument("--seed", type=int, default=10_000, help="Seed of the first episode's start.")
    parser.add_argument(
        "--reference", type=Path, help="Result of evaluate.py or report.json to compare the return with."
    )
    parser.add_argument("--json", type=Path, help="File to write the result to.")
    args = parser.parse_args(argv)
    try:
        result = judge(args)
    except (PolicyMismatch, OSError) as error:
        parser.exit(EXIT_USER_ERROR, f"error: {error}\n")
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    _print(result, args)


def judge(args: argparse.Namespace) -> dict[str, Any]:
    """Run all episodes.

    Args:
        args: Parsed arguments of :func:`main`.

    Raises:
        PolicyMismatch: If policy and environment do not fit or a number cannot be used.
        OSError: If a file cannot be read.
    """
    if args.env.split("-")[0] not in LAYOUTS or args.env.split("-")[-1] not in ("v4", "v5"):
        raise PolicyMismatch(f"--env {args.env}: there are {', '.join(LAYOUTS)}, each with -v4 or -v5.")
    if args.episodes < 1 or args.robustness < 0:
        raise PolicyMismatch(f"--episodes {args.episodes} --robustness {args.robustness}: must be at least 1 and 0.")
    if not args.policy.is_file():
        raise PolicyMismatch(f"--policy {args.policy}: there is no such file.")
    env = gym.make(args.env)
    policy = OnnxPolicy(args.policy, args.env, env.unwrapped.model, env.observation_space.shape[0])
    result = run(env, policy, args.episodes, args.seed, Perturbation())
    result["latency_s"] = {f"p{q}": float(np.quantile(policy.latencies, q / 100)) for q in (50, 99)}
    if args.reference is not None:
        content = json.loads(args.reference.read_text())
        reference = content.get("final_policy", content)["return"]["mean"]
        result["isaac_lab_return"], result["return_ratio"] = reference, result["return"]["mean"] / reference
    if args.robustness > 0:
        result["perturbed"] = {}
        for perturbation in all_perturbations():
            changed = gym.make(args.env)
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
    returns, lengths = [], []
    for episode in range(episodes):
        observation, _ = env.reset(seed=seed + episode)
        pipeline = perturbation.pipeline(env.action_space.shape[0])
        total, length, ended = 0.0, 0, False
        while not ended:
            if perturbation.noise > 0.0:
                observation = observation + perturbation.noise * draw.standard_normal(observation.shape)
            pipeline.append(policy(observation))
            observation, reward, terminated, truncated, _ = env.step(pipeline.popleft())
            total, length, ended = total + float(reward), length + 1, terminated or truncated
        returns.append(total)
        lengths.append(length)
    return {"episodes": episodes, "return": _mean_std(returns), "length": _mean_std(lengths)}


def _mean_std(values: list[float]) -> dict[str, float]:
    """Mean and sample standard deviation."""
    return {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0}


def _print(result: dict[str, Any], args: argparse.Namespace) -> None:
    """One line per figure."""
    print(f"{args.policy} in {args.env}: {result['episodes']} episodes")
    for name in ("return", "length"):
        print(f"  {name:<24}{result[name]['mean']:10.4g} ± {result[name]['std']:.4g}")
    if "return_ratio" in result:
        print(f"  {'ratio to Isaac Lab':<24}{result['return_ratio']:10.1%}")
    for name, value in result["latency_s"].items():
        print(f"  {'inference ' + name:<24}{1e6 * value:10.1f} us")
    for name, perturbed in result.get("perturbed", {}).items():
        share = perturbed["return"]["mean"] / result["return"]["mean"]
        print(f"  {name:<24}{perturbed['return']['mean']:10.4g} ± {perturbed['return']['std']:<8.4g} ({share:.0%})")
