# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Checkpoint files: whole or not at all, never with NaN, never a program, and every fault named in one line."""

import errno
import io
import math
import os
import pickle
import random
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cgrpo_lab.runners import CheckpointError
from cgrpo_lab.runners.checkpoint import random_state, read_checkpoint, restore_random_state, write_checkpoint


def content(value=1.0):
    return {"policy_state_dict": {"weight": torch.full((50, 50), value)}, "iter": 3, "infos": None}


def refused(path, match):
    """The one line that reading a file ends with."""
    with pytest.raises(CheckpointError, match=match) as error:
        read_checkpoint(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_round_trip(tmp_path):
    write_checkpoint(tmp_path / "model_3.pt", content())
    loaded = read_checkpoint(tmp_path / "model_3.pt", "cpu")
    assert loaded["iter"] == 3 and torch.equal(loaded["policy_state_dict"]["weight"], torch.ones(50, 50))
    assert [path.name for path in tmp_path.iterdir()] == ["model_3.pt"]


def disk_full_at_once(state, path):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def disk_full_midway(state, path):
    path.write_bytes(b"half of it")
    raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed\nand a second line")


@pytest.mark.parametrize("save", [disk_full_at_once, disk_full_midway])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, save):
    path = tmp_path / "model_3.pt"
    write_checkpoint(path, content())
    before = path.read_bytes()
    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(CheckpointError, match="could not be written.*free some space") as error:
        write_checkpoint(path, content(2.0))
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model_3.pt"]


@pytest.mark.parametrize("where", ["missing/model.pt", "file/model.pt", "folder"])
def test_a_place_that_cannot_be_written(tmp_path, where):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CheckpointError, match="could not be written"):
        write_checkpoint(tmp_path / where, content())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("part", ["optimizer_state_dict", "estimator_state_dict", "state_normalizer_state_dict"])
def test_a_parameter_that_is_not_finite_is_never_written(tmp_path, part, value):
    path = tmp_path / "model_3.pt"
    write_checkpoint(path, content())
    before = path.read_bytes()
    bad = content()
    bad[part] = {"state": {0: {"exp_avg": torch.tensor([0.0, value])}}}
    with pytest.raises(CheckpointError, match=rf"model_3.pt.*{part}.state.0.exp_avg holds NaN or Inf"):
        write_checkpoint(path, bad)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_what_is_no_parameter_may_be_infinite(tmp_path):
    # The best return of a run without a finished episode, joint limits of an environment, ...
    write_checkpoint(tmp_path / "m.pt", {**content(), "infos": {"best": -math.inf, "limit": torch.tensor(math.inf)}})
    assert read_checkpoint(tmp_path / "m.pt")["infos"]["best"] == -math.inf


def test_a_missing_file(tmp_path):
    refused(tmp_path / "model_9.pt", "no such file")
    refused(tmp_path, "no such file")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_truncated_file(tmp_path, share):
    path = tmp_path / "model_3.pt"
    write_checkpoint(path, content())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path, "damaged or not a checkpoint")


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_single_wrong_bit(tmp_path, share):
    # torch itself would load such a file, with another weight.
    path = tmp_path / "model_3.pt"
    write_checkpoint(path, content())
    damaged = bytearray(path.read_bytes())
    damaged[int(share * len(damaged))] ^= 64
    path.write_bytes(damaged)
    torch.load(path, weights_only=True)
    refused(path, "damaged or not a checkpoint")


@given(places=st.lists(st.tuples(st.floats(0.0, 1.0, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4))
def test_wrong_bytes_anywhere_never_end_in_another_error_or_other_weights(tmp_path_factory, places):
    path = tmp_path_factory.getbasetemp() / "wrong.pt"
    write_checkpoint(path, content())
    damaged = bytearray(path.read_bytes())
    for share, change in places:
        # Half of them in the directory at the end.
        damaged[int(share * len(damaged)) if share < 0.5 else -1 - int((share - 0.5) * 1000)] ^= change
    path.write_bytes(damaged)
    try:
        weight = read_checkpoint(path)["policy_state_dict"]["weight"]
    except CheckpointError:
        return
    assert torch.equal(weight, torch.ones(50, 50))  # a byte of padding


@given(data=st.binary(max_size=200))
def test_any_other_bytes(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.pt"
    path.write_bytes(data)
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


@given(data=st.binary(max_size=100))
def test_any_bytes_that_begin_like_a_pickle(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.pt"
    path.write_bytes(b"\x80\x02" + data)
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


@pytest.mark.parametrize("foreign", [{"weights": 1}, [1, 2], torch.ones(2), {"iteration": 5}])
def test_a_file_of_something_else(tmp_path, foreign):
    torch.save(foreign, tmp_path / "other.pt")
    refused(tmp_path / "other.pt", "not written by a training run")


def test_an_archive_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("hello.txt", "hello")
    refused(tmp_path / "other.pt", "damaged or not a checkpoint")


class Program:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


@pytest.mark.parametrize(
    "write", [lambda obj, path: torch.save(obj, path), lambda obj, path: path.write_bytes(pickle.dumps(obj))]
)
def test_code_in_a_file_is_refused_and_not_run(tmp_path, write):
    write({**content(), "infos": Program(tmp_path / "trace")}, tmp_path / "evil.pt")
    refused(tmp_path / "evil.pt", "damaged or not a checkpoint")
    assert not (tmp_path / "trace").exists()


def test_random_state_restores_all_global_generators_through_a_file(tmp_path):
    random.gauss(0.0, 1.0), np.random.randn()  # both keep a second number for later
    write_checkpoint(tmp_path / "m.pt", {"iter": 0, "infos": random_state()})

    def draw():
        return torch.rand(3).tolist(), np.random.randn(3).tolist(), [random.gauss(0.0, 1.0) for _ in range(3)]

    first = draw()
    restore_random_state(read_checkpoint(tmp_path / "m.pt")["infos"])
    assert draw() == first


def test_a_checkpoint_needs_no_class_of_ours():
    buffer = io.BytesIO()
    torch.save({"state": random_state()}, buffer)
    buffer.seek(0)
    torch.load(buffer, weights_only=True)
