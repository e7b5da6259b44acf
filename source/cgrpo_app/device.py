# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Which device a command uses."""

import torch

from cgrpo_app.errors import UserError


def resolve_device(device: str | None) -> str:
    """Device to use: as asked, else the first GPU, else the CPU with one line that says so.

    Raises:
        UserError: If the device does not exist.
    """
    if device is None:
        if torch.cuda.is_available():
            return "cuda:0"
        print("No NVIDIA GPU found: using the CPU.")
        return "cpu"
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdecimal()) or (kind == "cpu" and index):
        raise UserError(f"--device {device}: is no device; use cpu, cuda or cuda:N.")
    if kind == "cpu":
        return "cpu"
    count = torch.cuda.device_count()
    if int(index or 0) >= count:
        found = f"there are {count} NVIDIA GPUs" if count else "there is no NVIDIA GPU (or no driver for it)"
        raise UserError(f"--device {device}: {found}; use --device cpu.")
    return f"cuda:{index or 0}"
