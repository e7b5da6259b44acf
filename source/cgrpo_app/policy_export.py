# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Writing the policy of a runner as ONNX and TorchScript, with the description of its environment."""

from pathlib import Path
from typing import Any

from cgrpo_app.errors import UserError
from cgrpo_app.launch import Launch
from cgrpo_lab.export import export_onnx, export_torchscript, onnx_parity


def export_policy(runner: Any, launch: Launch, folder: Path) -> tuple[dict[str, Path], float]:
    """Write ``policy.onnx`` and ``policy.pt``.

    Args:
        runner: Runner whose deployed policy is exported.
        launch: Configurations it was made with.
        folder: Folder to write to.

    Returns:
        The files by kind (``onnx``, ``torchscript``) and the largest difference between torch and onnxruntime.

    Raises:
        UserError: If a file cannot be written.
    """
    from cgrpo_app.env_description import describe_env

    policy = runner.alg.get_policy()
    metadata = describe_env(runner.env.unwrapped, launch.task, policy.obs_groups)
    metadata["agent"], metadata["seed"] = launch.entry_point, launch.agent_cfg.seed
    metadata["iteration"] = runner.current_learning_iteration
    files = {"onnx": folder / "policy.onnx", "torchscript": folder / "policy.pt"}
    try:
        export_onnx(policy.as_onnx(verbose=False), files["onnx"], metadata)
        export_torchscript(policy.as_jit(), files["torchscript"])
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another place.") from error
    return files, onnx_parity(policy.as_onnx(verbose=False), files["onnx"])
