# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/evaluate.py``: judge a checkpoint over many episodes."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from cgrpo_app import command_line, parsers, run_folder
from cgrpo_app.launch import open_env, resolve
from cgrpo_app.loading import load_runner, resolve_for_checkpoint
from cgrpo_app.provenance import describe_hardware, describe_versions

SEED_OFFSET = 10_000
"""Added to the training seed unless ``--seed`` is given, so that start states and goals are fresh."""

MAX_ENVS = 256
"""Environments used, unless ``--num_envs`` asks for another number or there are fewer episodes."""


def main(argv: Sequence[str]) -> None:
    """Evaluate the deterministic policy.

    Args:
        argv: Command line without the program's name.
    """
    args, overrides = command_line.parse(parsers.evaluate(), argv)
    default_envs = min(args.num_envs or MAX_ENVS, args.episodes)
    if args.random_actions:
        args.num_envs = default_envs
        launch, checkpoint = resolve(args, overrides, play_mode=True), None
    else:
        if args.num_envs is not None and args.num_envs > args.episodes:
            args.num_envs = None  # an env without an episode is of no use
        launch, checkpoint = resolve_for_checkpoint(args, overrides, default_envs)
    if args.seed is None:
        launch.agent_cfg.seed += SEED_OFFSET
        launch.env_cfg.seed = launch.agent_cfg.seed
    run_folder.check_writable(args.json)
    with open_env(launch, args) as env:
        from cgrpo_lab.evaluation import evaluate, summarize

        runner = None if checkpoint is None else load_runner(env, launch, checkpoint)
        policy = _random_actions(env) if runner is None else runner.get_inference_policy(launch.device)
        summary = summarize(evaluate(env, policy, args.episodes))
    judged = {"agent": "random actions"} if runner is None else _about(args, checkpoint, runner)
    result = {
        **summary,
        "task": launch.task,
        **judged,
        "seed": launch.agent_cfg.seed,
        "num_envs": launch.env_cfg.scene.num_envs,
        "physics": launch.physics,
        "command": " ".join(sys.argv),
        "versions": describe_versions(),
        "hardware": describe_hardware(launch.device),
    }
    if args.json is not None:
        run_folder.write_json(args.json, result)
    _print_summary(summary, "random actions" if checkpoint is None else str(checkpoint))


def _random_actions(env: Any) -> Callable[[Any], torch.Tensor]:
    """Policy that draws every action [E, A] uniformly from -1 to 1, the range of a squashed policy."""
    return lambda _: 2.0 * torch.rand(env.num_envs, env.num_actions, device=env.device) - 1.0


def _about(args: Any, checkpoint: Path, runner: Any) -> dict[str, Any]:
    """What was judged."""
    return {"agent": args.agent, "checkpoint": str(checkpoint), "iteration": runner.current_learning_iteration}


def _print_summary(summary: dict[str, Any], judged: str) -> None:
    """One line per figure."""
    print(f"{judged}: {summary['episodes']} episodes")
    for name, value in summary.items():
        if name == "episodes":
            continue
        if "rate" in value:
            print(f"  {name:<20}{value['rate']:8.1%}  (95 % interval {value['low']:.1%} to {value['high']:.1%})")
        else:
            print(f"  {name:<20}{value['mean']:8.4g} ± {value['std']:.4g}")
