# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/export.py``: write a checkpoint's policy as ONNX and TorchScript."""

from collections.abc import Sequence

from cgrpo_app import command_line, parsers
from cgrpo_app.launch import open_env
from cgrpo_app.loading import load_runner, resolve_for_checkpoint
from cgrpo_app.policy_export import export_policy

DEFAULT_ENVS = 16
"""Environments made unless ``--num_envs`` says otherwise; the files do not depend on it."""


def main(argv: Sequence[str]) -> None:
    """Export.

    Args:
        argv: Command line without the program's name.
    """
    args, overrides = command_line.parse(parsers.export(), argv)
    launch, checkpoint = resolve_for_checkpoint(args, overrides, DEFAULT_ENVS)
    with open_env(launch, args) as env:
        runner = load_runner(env, launch, checkpoint)
        files, parity = export_policy(runner, launch, args.output or checkpoint.parent / "exported")
    for kind, path in files.items():
        print(f"{kind:<12}{path} ({path.stat().st_size / 1024:.0f} KiB)")
    print(f"parity      largest difference between torch and onnxruntime over 256 random observations: {parity:.2e}")
