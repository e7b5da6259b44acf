# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a process takes of the machine, and that a mistake is reported once."""

import argparse
import os
import subprocess
import sys

import pytest
import torch

from cgrpo_app import processes
from cgrpo_app.errors import UserError


def join(monkeypatch, *, device=None, gpus=0, local_rank=None, processes_here=2, flag=True):
    """Error of a process that was started so."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    if local_rank is not None:
        for name, value in {"RANK": 0, "LOCAL_RANK": local_rank, "WORLD_SIZE": processes_here}.items():
            monkeypatch.setenv(name, str(value))
    with (
        pytest.raises(UserError) as error,
        processes.joined(argparse.Namespace(distributed=flag, device=device)),
    ):
        pass
    return str(error.value)


def test_options_must_agree_with_how_the_command_was_started(monkeypatch):
    assert "--nproc_per_node=N scripts/train.py" in join(monkeypatch)
    assert "--distributed: is missing" in join(monkeypatch, local_rank=0, flag=False)


def test_every_process_needs_a_gpu_of_its_own(monkeypatch):
    assert "use --nproc_per_node=1 or --device cpu" in join(monkeypatch, gpus=1, local_rank=1)
    assert "--device cuda:0: each process takes the GPU of its own rank" in join(
        monkeypatch, gpus=2, local_rank=1, device="cuda:0"
    )
    assert "no NVIDIA GPU" in join(monkeypatch, gpus=0, local_rank=0, device="cuda")


def test_alone_nothing_is_joined(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    args = argparse.Namespace(distributed=False, device="cuda:3")
    with processes.joined(args):
        assert not torch.distributed.is_initialized() and args.device == "cuda:3"


SCRIPT = """
from argparse import Namespace
from cgrpo_app import processes
from cgrpo_app.errors import UserError, run_command
from cgrpo_lab import distributed

def find():
    raise UserError("--checkpoint: is nowhere.")

def main(argv):
    args = Namespace(distributed=True, device="cpu")
    with processes.joined(args):
        print("only the main process speaks")
        assert processes.from_main(distributed.rank) == 0
        processes.from_main(find)

run_command(main)
"""


def test_the_main_process_decides_and_a_mistake_is_reported_once(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    result = subprocess.run(
        [*launcher, str(tmp_path / "script.py")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.stdout.splitlines() == ["only the main process speaks"]
    assert result.stderr.count("error: --checkpoint: is nowhere.") == 1
    assert "script.py" not in result.stderr.split("Traceback")[0]
