# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Goals of the block: how they are drawn and how far a pose is from them, as in Gymnasium-Robotics' ``manipulate.py``.

Poses are position [m] and unit quaternion (w, x, y, z), ``[E, 7]``. A quaternion and its negative are one rotation but
not one goal there: the official angle runs from 0 to 2 pi, so that turning on leads away from a goal that was passed.
"""

from __future__ import annotations

import functools
import itertools
import math

import torch

from isaaclab.utils.math import quat_conjugate, quat_from_euler_xyz, quat_mul

POSITION_RANGE = ((-0.04, 0.04), (-0.06, 0.02), (0.0, 0.06))
"""Offsets of a random goal position from the block's [m], for x, y and z."""

TARGET_POSITIONS = ("ignore", "fixed", "random")
TARGET_ROTATIONS = ("z", "parallel", "xyz")


def multiply(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the rotations b followed by a, all quaternions (w, x, y, z) ``[E, 4]``."""
    # Isaac Lab orders quaternions x y z w.
    return quat_mul(a.roll(-1, dims=-1), b.roll(-1, dims=-1)).roll(1, dims=-1)


def about(axis: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Return the rotations by angles [rad] ``[E]`` about axes of any length ``[E, 3]``."""
    direction = torch.nn.functional.normalize(axis, dim=-1)
    half = 0.5 * angle[:, None]
    return torch.cat((half.cos(), half.sin() * direction), dim=-1)


@functools.cache
def parallel_rotations(device: torch.device | str) -> torch.Tensor:
    """Return the 24 rotations that turn a cube into itself, ``[24, 4]``."""
    quarters = (0.0, 0.5 * math.pi, -0.5 * math.pi, math.pi)
    euler = torch.tensor(list(itertools.product(quarters, repeat=3)))
    rotations = quat_from_euler_xyz(*euler.unbind(dim=-1)).roll(1, dims=-1)
    # The official signs, which matter: w before z before x before -y is positive.
    signs = (rotations @ torch.tensor([8.0, 2.0, -1.0, 4.0])).sign()
    distinct = torch.unique((1.0e4 * signs[:, None] * rotations).round(), dim=0)
    return torch.nn.functional.normalize(distinct, dim=-1).to(device)


def draw_rotation(kind: str, count: int, device: torch.device | str, largest: float = math.pi) -> torch.Tensor:
    """Draw rotations ``[K, 4]``.

    Args:
        kind: ``z``: about the vertical; ``parallel``: about the vertical, another face up; ``xyz``: about an axis drawn
            from a cube, as officially.
        count: Number of rotations K.
        device: Where to.
        largest: Largest angle about the axis [rad].
    """
    angle = torch.empty(count, device=device).uniform_(-largest, largest)
    if kind == "xyz":
        return about(torch.empty(count, 3, device=device).uniform_(-1.0, 1.0), angle)
    rotation = about(_constant(((0.0, 0.0, 1.0),), device), angle)
    if kind == "parallel":
        faces = parallel_rotations(device)
        rotation = multiply(rotation, faces[torch.randint(len(faces), (count,), device=device)])
    return rotation


def draw_position_offset(count: int, device: torch.device | str) -> torch.Tensor:
    """Draw offsets of goal positions [m], ``[K, 3]``."""
    low, high = _constant(POSITION_RANGE, device).T
    return low + (high - low) * torch.rand(count, 3, device=device)


@functools.cache
def _constant(values: tuple[tuple[float, ...], ...], device: torch.device | str) -> torch.Tensor:
    """Return numbers on a device, copied there once: each copy waits for the device."""
    return torch.tensor(values, device=device)


def rotation_vector(goal: torch.Tensor, block: torch.Tensor, shortest: bool) -> torch.Tensor:
    """Return the rotations that lead from the block's to the goal's, as axis times angle [rad], ``[E, 3]``.

    Args:
        goal: Quaternions (w, x, y, z), ``[E, 4]``.
        block: Quaternions likewise.
        shortest: Whether the angle is at most pi, or up to 2 pi as the quaternions' signs tell.
    """
    conjugate = quat_conjugate(block.roll(-1, dims=-1)).roll(1, dims=-1)
    difference = multiply(goal, conjugate)
    if shortest:
        difference = torch.where(difference[:, :1] < 0.0, -difference, difference)
    sine = torch.linalg.norm(difference[:, 1:], dim=-1, keepdim=True)
    angle = 2.0 * torch.atan2(sine, difference[:, :1])
    # The axis is lost where the sine vanishes.
    return difference[:, 1:] * (angle / sine.clamp(min=1.0e-6))
