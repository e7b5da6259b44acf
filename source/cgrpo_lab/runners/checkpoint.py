# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Checkpoint files: written whole or not at all, read without running code from them."""

import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cgrpo_lab.whole_file import whole_file

DAMAGE = (
    OSError,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    OverflowError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)
"""What reading a damaged archive, or something else, ends with."""


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or read; the message names the file, the trouble and the remedy."""


def write_checkpoint(path: str | Path, content: dict[str, Any]) -> None:
    """Save through a temporary file in the same folder, then rename.

    Raises:
        CheckpointError: If a parameter is NaN or Inf, or the file cannot be written. An older file stays whole.
    """
    path = Path(path)
    culprit = first_nonfinite(content)
    if culprit is not None:
        raise CheckpointError(f"{path.name} was not written: {culprit} holds NaN or Inf.")
    try:
        with whole_file(path) as temporary:
            torch.save(content, temporary)
    except (OSError, RuntimeError) as error:
        # torch reports a full disk as a RuntimeError of its zip writer.
        raise CheckpointError(
            f"{path} could not be written ({str(error).splitlines()[0]}); free some space or choose another --log_root."
        ) from error


def read_checkpoint(path: str | Path, map_location: torch.device | str | None = None) -> dict[str, Any]:
    """Load a checkpoint with ``weights_only=True`` after a look at its checksums, which torch does not check.

    Raises:
        CheckpointError: If the file is missing, damaged or no checkpoint of rsl_rl's or our runners.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path}: there is no such file.")
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise zipfile.BadZipFile
        content = torch.load(path, map_location=map_location, weights_only=True)
    except DAMAGE as error:
        raise CheckpointError(f"checkpoint {path}: is damaged or not a checkpoint; choose another file.") from error
    if not isinstance(content, dict) or "iter" not in content:
        raise CheckpointError(f"checkpoint {path}: was not written by a training run; choose a model_<iteration>.pt.")
    return content


def random_state() -> dict[str, Any]:
    """State of the global generators that environments draw from (torch, NumPy, Python), as plain values."""
    name, keys, *rest = np.random.get_state()
    version, numbers, gauss = random.getstate()
    state = {
        "torch": torch.get_rng_state(),
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "python": (version, torch.tensor(numbers), gauss),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_random_state(state: dict[str, Any]) -> None:
    """Put the global generators back to what :func:`random_state` returned."""
    torch.set_rng_state(state["torch"].cpu())
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers.tolist()), gauss))
    if "cuda" in state and torch.cuda.device_count() == len(state["cuda"]):
        torch.cuda.set_rng_state_all([s.cpu() for s in state["cuda"]])


def first_nonfinite(content: dict[str, Any], prefix: str = "") -> str | None:
    """Name of the first parameter that is not finite; only ``*_state_dict`` entries are looked at."""
    for name, value in content.items():
        if isinstance(value, dict) and (prefix or name.endswith("_state_dict")):
            found = first_nonfinite(value, f"{prefix}{name}.")
            if found is not None:
                return found
        elif prefix and isinstance(value, torch.Tensor) and not torch.isfinite(value).all():
            return f"{prefix}{name}"
    return None
