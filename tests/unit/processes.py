# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Several processes on this machine, and a task whose environments can be divided among them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing
from dummy_env import DummyEnv

from cgrpo_lab import distributed


def start(
    function: Callable[..., Any],
    folder: Path,
    *arguments: Any,
    processes: int = 2,
    answers: int | None = None,
    backend: str | None = None,
    timeout_s: float = 60.0,
) -> list[Any]:
    """Call a function in each of several processes that know one another; returns what it returned in each.

    Args:
        function: Function of a module; what it returns must be something that torch can save.
        folder: Empty folder for what it returns.
        *arguments: Its arguments.
        processes: Number of processes.
        answers: How many of them, the first, live to answer; None for all.
        backend: ``nccl`` or ``gloo`` on the first GPU; None is gloo on the CPU.
        timeout_s: Longest that one waits for another.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = (processes, port, backend, timedelta(seconds=timeout_s), function, folder, arguments)
    # Forked from a server that has done the slow imports once, and knows nothing of this process's CUDA.
    torch.multiprocessing.get_context("forkserver").set_forkserver_preload(["rsl_rl.runners", "sklearn.cluster"])
    torch.multiprocessing.start_processes(_work, arguments, nprocs=processes, start_method="forkserver")
    return [torch.load(folder / f"answer_{rank}.pt", weights_only=False) for rank in range(answers or processes)]


def _work(
    rank: int,
    processes: int,
    port: int,
    backend: str | None,
    timeout: timedelta,
    function: Callable[..., Any],
    folder: Path,
    arguments: Any,
) -> None:
    """What each process does."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1"}
    os.environ["MASTER_PORT"] = str(port)
    if backend == "gloo":
        # Two processes on one GPU, which NCCL refuses.
        torch.distributed.init_process_group("gloo", timeout=timeout)
    else:
        distributed.connect("cuda:0" if backend == "nccl" else "cpu", timeout=timeout)
    answer = function(*arguments)
    torch.save(answer, folder / f"answer_{rank}.pt")
    distributed.disconnect()


class DividedEnv(DummyEnv):
    """This process's environments of a :class:`DummyEnv` whose starts do not depend on how it is divided.

    The environments of each policy are divided among the processes, in the order of their ranks.
    """

    def __init__(self, num_envs: int, *, num_policies: int = 1, **options: Any):
        self.num_policies = num_policies
        self.generator = torch.Generator().manual_seed(7)
        super().__init__(num_envs // distributed.world_size(), **options)

    def _start_positions(self) -> torch.Tensor:
        everywhere = torch.rand(self.num_envs * distributed.world_size(), 2, generator=self.generator)
        mine = distributed.own_part(everywhere.unflatten(0, (self.num_policies, -1)), dim=1)
        return (2.0 * mine - 1.0).flatten(0, 1).to(self.device)


class DividedEnvState:
    """Saves and restores a :class:`DividedEnv`."""

    def __init__(self, env: DividedEnv):
        self.env = env

    def state_dict(self) -> dict[str, Any]:
        env = self.env
        return {
            "position": env.position.clone(),
            "age": env.episode_length_buf.clone(),
            "generator": env.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.env.position, self.env.episode_length_buf = state["position"].clone(), state["age"].clone()
        self.env.generator.set_state(state["generator"])
