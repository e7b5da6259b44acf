# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``replay_<n>.pt``: what an off-policy algorithm remembers, beside the latest checkpoint only.

It is a hundred times the size of the networks, so it is not kept with every checkpoint.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cgrpo_lab.runners.checkpoint import read_checkpoint, write_checkpoint


@contextlib.contextmanager
def kept_replay(folder: Path, iteration: int, replay: dict[str, Any] | None) -> Iterator[None]:
    """Write the memory before and remove the older ones after the block, which writes ``model_<iteration>.pt``.

    In this order a process that is killed at any moment leaves the latest checkpoint with its memory.

    Args:
        folder: Folder of the run.
        iteration: Iterations done.
        replay: The memory as tensors and plain values; None where the algorithm has none.

    Raises:
        CheckpointError: If it cannot be written.
    """
    path = folder / f"replay_{iteration}.pt"
    if replay is not None:
        write_checkpoint(path, {"iter": iteration, "replay": replay})
    yield
    for other in folder.glob("replay_*.pt"):
        if other != path:
            other.unlink(missing_ok=True)


def read_replay(checkpoint: Path) -> dict[str, Any] | None:
    """Memory that belongs to a checkpoint, on the CPU; None if it is not kept any more, or the algorithm has none.

    Raises:
        CheckpointError: If the file is damaged.
    """
    path = checkpoint.with_name(f"replay_{checkpoint.name.removeprefix('model_')}")
    return read_checkpoint(path, "cpu")["replay"] if path.is_file() else None
