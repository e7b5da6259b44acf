# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Versions and hardware that a result depends on."""

import os
import platform
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch


def describe_versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    names = ["isaaclab", "torch", "rsl-rl-lib", "warp-lang", "newton", "mujoco", "numpy", "gymnasium"]
    if find_spec("skrl") is not None:
        names.append("skrl")
    return {"python": sys.version.split()[0], **{name: version(name) for name in names}}


def describe_hardware(device: str) -> dict[str, Any]:
    """Processor and GPU a result was made on."""
    hardware: dict[str, Any] = {"device": device, "cpu": _processor(), "cpu_cores": len(os.sched_getaffinity(0))}
    if device.startswith("cuda"):
        hardware["gpu"] = torch.cuda.get_device_name(device)
    return hardware


def _processor() -> str:
    """Name of the processor; its architecture where the kernel tells no name (ARM)."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
