# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Several processes that learn as one: sums over all of them, and a joint numbering of their samples.

Each of the ``W`` processes simulates environments of its own; what is learned is equal in all of them. Functions here
work on torch's default process group, as rsl_rl's normalisers do, and leave their argument alone where there is none.

Random numbers of the algorithm are drawn alike in every process, for the environments of all, and each process uses its
own part. Together they therefore do what a single process with all environments would do.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from rsl_rl.utils.utils import reduce_gradients_in_buckets
from torch import Tensor

from cgrpo_lab.validation import ConfigError

TIMEOUT = timedelta(minutes=10)
"""Longest that a process waits for the others; the first start of a simulation compiles for minutes."""

_BUCKET_MB = 32
"""Gradients are averaged in pieces of this size [MB]."""


class PeerError(RuntimeError):
    """Another process of the job has ended or does not answer."""


# -- The group of processes --------------------------------------------------------------------------------------------


def connect(device: str, *, timeout: timedelta = TIMEOUT) -> None:
    """Join the processes that ``torch.distributed.run`` has started: NCCL for tensors on CUDA, gloo for the others.

    Args:
        device: Device of this process.
        timeout: Longest to wait for another process, now and later.

    Raises:
        PeerError: If the others do not come.
    """
    backend = "gloo"
    if torch.device(device).type == "cuda":
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    with explained():
        dist.init_process_group(backend, timeout=timeout)


def disconnect() -> None:
    """Leave the group; from here on this process works alone."""
    if is_active():
        dist.destroy_process_group()


def is_active() -> bool:
    """Whether there is a group, be it of one process."""
    return dist.is_available() and dist.is_initialized()


def world_size() -> int:
    """Number of processes ``W``."""
    return dist.get_world_size() if is_active() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if is_active() else 0


def is_main() -> bool:
    """Whether this is the process that writes and prints."""
    return rank() == 0


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn what torch raises when a process is lost into one clear error, that there is time to report.

    Raises:
        PeerError: If another process has ended or does not answer.
    """
    try:
        yield
    except RuntimeError as error:
        # Gloo's errors have no class of their own; they begin with the place in its source.
        if not (isinstance(error, dist.DistError) or "/gloo/" in str(error)):
            raise
        # The launcher terminates the job as soon as it misses the process: in a moment, and this is to be read first.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        reason = str(error).splitlines()[0].rpartition("] ")[2]
        raise PeerError(
            f"another process of this job has ended or does not answer ({reason}); its own message says why. "
            "The last checkpoint is whole: go on with --resume."
        ) from error


# -- Agreement about plain values --------------------------------------------------------------------------------------


def any_of(flag: bool) -> bool:
    """Whether the flag is set in any process."""
    return any(gather(flag))


def gather(value: Any) -> list[Any]:
    """A plain value of every process, in the order of their ranks."""
    if not is_active():
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


# -- Sums over the processes -------------------------------------------------------------------------------------------


def all_sum(values: Tensor) -> Tensor:
    """Sum over all processes, element by element; equal in all of them to the last bit.

    Args:
        values: A tensor of the same shape in every process, not bool; it may be overwritten.

    Returns:
        The sums, same shape.
    """
    if is_active():
        values = values.contiguous()
        dist.all_reduce(values)
    return values


def all_mean(values: Tensor) -> Tensor:
    """Mean over all processes, element by element: for means over samples, of which every process has as many."""
    return all_sum(values) / world_size() if is_active() else values


def joint_mean(values: Tensor) -> Tensor:
    """:func:`all_mean` with the gradient of the values here; averaged over the processes, that is its own."""
    return values + (all_mean(values.detach().clone()) - values.detach()) if is_active() else values


def concatenate(rows: Tensor) -> Tensor:
    """The rows ``[P, ...]`` of all processes one after the other; ``P`` may differ between them."""
    if not is_active():
        return rows
    counts = gather(len(rows))
    joint = rows.new_zeros(sum(counts), *rows.shape[1:])
    joint[sum(counts[: rank()]) :][: len(rows)] = rows
    return all_sum(joint)


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace gradients by their mean over all processes."""
    if is_active():
        reduce_gradients_in_buckets(parameters, world_size(), _BUCKET_MB)


@torch.no_grad()
def broadcast(tensors: Iterable[Tensor]) -> None:
    """Overwrite tensors by those of the main process."""
    if is_active():
        for tensor in tensors:
            compact = tensor.contiguous()
            dist.broadcast(compact, src=0)
            tensor.copy_(compact)


def share_random_state(generator: torch.Generator) -> None:
    """Draw from here on what the main process draws.

    Raises:
        ConfigError: If equal states give different numbers here and there, as on GPUs of different kinds.
    """
    generator.set_state(gather(generator.get_state())[0])
    twin = torch.Generator(generator.device)
    twin.set_state(generator.get_state())
    drawn = torch.randn(2**16, device=generator.device, generator=twin).double().sum().item()
    if len(set(gather(drawn))) > 1:
        raise ConfigError("device: the GPUs of the processes draw different random numbers; use GPUs of one kind.")


# -- Samples of all processes ------------------------------------------------------------------------------------------
#
# A process with M environments of each policy numbers samples in blocks of M. In the joint numbering a block holds the
# W * M environments of all processes, in the order of their ranks.


def own_part(values: Tensor, dim: int) -> Tensor:
    """This process's part of something drawn for the ``W * M`` environments of all processes along ``dim``."""
    if not is_active():
        return values
    size = values.shape[dim] // world_size()
    return values.narrow(dim, rank() * size, size)


def locate(numbers: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Find samples by their joint numbers.

    Args:
        numbers: Joint numbers, any shape, int64.
        block: Samples in a row ``M`` that belong to one process.

    Returns:
        Whether each sample is here, and its number here (0 where it is not); both of the shape of ``numbers``.
    """
    row, column = numbers // (block * world_size()), numbers % (block * world_size()) - block * rank()
    is_here = (column >= 0) & (column < block)
    return is_here, torch.where(is_here, row * block + column, 0)


def count(samples: Tensor, block: int | None) -> int:
    """Number of samples in the joint numbering, of ``[P, ...]`` here; None if these are all there are."""
    return len(samples) if block is None else len(samples) * world_size()


def fetch(samples: Tensor, numbers: Tensor, block: int | None) -> Tensor:
    """Bring samples together from the processes that have them.

    Args:
        samples: Samples here, ``[P, ...]``.
        numbers: Joint numbers of the wanted samples, ``[Q]`` int64, equal in all processes.
        block: See :func:`locate`; None if the samples here are all there are.

    Returns:
        The samples, ``[Q, ...]``.
    """
    if block is None or not is_active():
        return samples[numbers]
    is_here, local = locate(numbers, block)
    trailing = (1,) * (samples.dim() - 1)
    return all_sum(torch.where(is_here.view(-1, *trailing), samples[local], samples.new_zeros(())))
