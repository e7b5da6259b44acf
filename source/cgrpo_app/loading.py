# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""From a checkpoint to a runner that can play it."""

import argparse
import math
from pathlib import Path
from typing import Any

import torch

from cgrpo_app import run_folder
from cgrpo_app.errors import UserError
from cgrpo_app.launch import Launch, resolve
from cgrpo_lab.algorithms.config import CGRPOCfg
from cgrpo_lab.runners import CGRPORunner
from cgrpo_lab.runners.checkpoint import read_checkpoint

MISMATCHES = (ValueError, RuntimeError, KeyError)
"""What torch and the algorithms raise for parameters of other names or shapes."""


def find(args: argparse.Namespace, launch: Launch) -> Path:
    """Checkpoint that the options name; the latest if they name none."""
    return run_folder.find_checkpoint(
        args.checkpoint,
        args.load_run,
        log_root=args.log_root,
        experiment=launch.agent_cfg.experiment_name,
        task=launch.task,
        entry_point=launch.entry_point,
    )


def resolve_for_checkpoint(args: argparse.Namespace, overrides: list[str], default_envs: int) -> tuple[Launch, Path]:
    """Configurations for playing a checkpoint: those it was trained with, where the command line says nothing else.

    Args:
        args: Parsed arguments.
        overrides: Overrides of the command line.
        default_envs: Environments where the command line names no number; rounded up to a multiple of the policies.

    Returns:
        The configurations in play mode, and the checkpoint.

    Raises:
        UserError: If there is no such checkpoint, or a setting cannot be used.
        CheckpointError: If the checkpoint is damaged.
    """
    launch = resolve(args, overrides, play_mode=True)
    checkpoint = find(args, launch)
    completed = run_folder.with_run_overrides(checkpoint.parent, overrides)
    if completed != overrides:
        args.device = launch.device
        launch = resolve(args, completed, play_mode=True)
    algorithm = launch.agent_cfg.algorithm
    _match_group(algorithm, read_checkpoint(checkpoint, "cpu"))
    if args.num_envs is None and not any(item.startswith("env.scene.num_envs=") for item in overrides):
        policies = getattr(algorithm, "num_policies", 1)
        launch.env_cfg.scene.num_envs = math.ceil(default_envs / policies) * policies
    return launch, checkpoint


def load_runner(env: Any, launch: Launch, checkpoint: Path) -> CGRPORunner:
    """Runner with the checkpoint's policy, for any number of environments.

    Args:
        env: Environment in rsl_rl's wrapper.
        launch: What :func:`resolve_for_checkpoint` has resolved.
        checkpoint: File to load.

    Raises:
        CheckpointError: If the file is missing or damaged.
        UserError: If it belongs to another task or agent.
    """
    from isaaclab.utils import to_dict

    cfg = to_dict(launch.agent_cfg)
    # Playing needs no learning batches, so their number must not limit how few environments may be played.
    if "num_mini_batches" in cfg["algorithm"]:
        cfg["algorithm"]["num_mini_batches"] = 1
    if env.num_envs % cfg["algorithm"].get("num_policies", 1):
        policies = cfg["algorithm"]["num_policies"]
        raise UserError(f"--num_envs {env.num_envs}: the checkpoint has {policies} policies; use a multiple.")
    runner = CGRPORunner(env, cfg, None, launch.device)
    try:
        runner.load(str(checkpoint), load_cfg={"actor": True, "critic": True, "optimizer": False, "iteration": True})
    except MISMATCHES as error:
        raise mismatch(checkpoint, error) from error
    return runner


def mismatch(checkpoint: Path, error: Exception) -> UserError:
    """Error for a checkpoint whose parameters do not fit the configuration."""
    reason = str(error).strip().splitlines()
    detail = reason[1] if len(reason) > 1 and reason[0].startswith("Error(s) in loading") else reason[0]
    return UserError(f"--checkpoint {checkpoint}: does not fit this task and agent ({detail.strip()}).")


def _match_group(algorithm: Any, content: dict[str, Any]) -> None:
    """Take the number of policies and the size of the reference from a checkpoint, which fixes them."""
    if content.get("algorithm") != "cgrpo" or not isinstance(algorithm, CGRPOCfg):
        return
    algorithm.num_policies = content["scores"].shape[0]
    stacked: torch.Tensor | None = content.get("reference_state_dict", {}).get("members.vectors")
    algorithm.reference_size = 0 if stacked is None else stacked.shape[0]
