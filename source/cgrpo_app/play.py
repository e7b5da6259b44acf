# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/play.py``: let a trained policy act, and record it."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from cgrpo_app import command_line, parsers
from cgrpo_app.errors import UserError
from cgrpo_app.launch import open_env
from cgrpo_app.loading import load_runner, resolve_for_checkpoint
from cgrpo_app.parsers import VISUALIZERS
from cgrpo_app.video import prepare_rendering, video_wrapper

DEFAULT_ENVS = 4
"""Environments played unless ``--num_envs`` says otherwise: as many as a video shows."""


def main(argv: Sequence[str]) -> None:
    """Play.

    Args:
        argv: Command line without the program's name.
    """
    args, overrides = command_line.parse(parsers.play(), argv)
    if args.viz is not None:
        _check_visualizers(args.viz)
    if args.video:
        prepare_rendering()
    launch, checkpoint = resolve_for_checkpoint(args, overrides, DEFAULT_ENVS)
    folder = checkpoint.parent / "videos" / "play"
    wrappers = [video_wrapper(folder, args.video_length, args.video_length)] if args.video else []
    with open_env(launch, args, wrappers=wrappers, visualizer=args.viz) as env:
        runner = load_runner(env, launch, checkpoint)
        print(f"playing {checkpoint} in {env.num_envs} envs", flush=True)
        endings = _play(env, runner.get_inference_policy(launch.device), None if args.viz else args.video_length)
    print(_describe(endings))
    if args.video:
        print(f"video: {_newest(folder)}")


def _check_visualizers(names: str) -> None:
    """Raise a UserError if one does not exist or its package is missing; Isaac Lab says so after minutes."""
    for name in names.split(","):
        if name not in VISUALIZERS:
            raise UserError(
                f"--viz {names}: there are {', '.join(VISUALIZERS)}; leave it out to play without a window."
            )
        if find_spec(VISUALIZERS[name]) is None:
            raise UserError(f"--viz {names}: needs the package {VISUALIZERS[name]}, which is missing.")


def _play(env: Any, policy: Any, steps: int | None) -> dict[str, list[float]]:
    """Act for a number of steps, or until Ctrl-C; returns the outcomes of the episodes that ended."""
    endings: dict[str, list[float]] = {}
    obs = env.get_observations()
    step = 0
    try:
        with torch.inference_mode():
            while steps is None or step < steps:
                obs, _, dones, extras = env.step(policy(obs))
                index = dones.bool().nonzero().squeeze(1)
                for name, values in (extras.get("outcome", {}) | extras.get("outcome_value", {})).items():
                    endings.setdefault(name, []).extend(values[index].float().tolist())
                step += 1
    except KeyboardInterrupt:
        print()
    return endings


def _describe(endings: dict[str, list[float]]) -> str:
    """How the episodes ended, in one line."""
    episodes = len(next(iter(endings.values()), []))
    means = ", ".join(f"{name} {sum(values) / episodes:.3g}" for name, values in endings.items() if episodes)
    return f"{episodes} episodes ended" + (f": mean {means}" if means else "")


def _newest(folder: Path) -> Path:
    """The clip just recorded."""
    return max(folder.glob("clip_*.mp4"), key=lambda path: path.stat().st_mtime)
