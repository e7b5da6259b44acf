# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The clustering benchmark on few states: what it prints and writes, not how long it takes."""

import pytest
import torch

from cgrpo_app.benchmarks import clustering, clustering_case
from cgrpo_app.benchmarks import main as benchmark
from cgrpo_app.errors import UserError


def test_many_states_are_not_clustered_exactly(monkeypatch):
    def run(settings, threads):
        return clustering_case.main(settings)

    monkeypatch.setattr(clustering, "_run_case", run)
    (row,) = clustering._measure("cloud", 700, 4, "cpu", exact_up_to=699, threads=1)
    assert row["case"] == "ours"
    assert row["ari"] is None


@pytest.mark.parametrize(("states", "neighbours"), [(1000, 10), (4096, 10), (65536, 160)])
def test_exact_looks_for_as_many_neighbours_as_the_sample_stands_for(monkeypatch, states, neighbours):
    asked = []

    def run(settings, threads):
        asked.append(settings["min_samples"])
        raise InterruptedError

    monkeypatch.setattr(clustering, "_run_case", run)
    with pytest.raises(InterruptedError):
        clustering._measure("modes", states, 3, "cpu", exact_up_to=0, threads=1)
    assert asked == [neighbours]


@pytest.mark.parametrize("kind", clustering_case.DATA)
def test_states_are_the_same_every_time(kind):
    make = clustering_case.DATA[kind]
    assert make(500, 5).shape == (500, 5)
    assert torch.equal(make(500, 5), make(500, 5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--states", "many"], "--states many"),
        (["--dims", "0"], "--dims 0"),
        (["--data", "modes,moons"], "'moons' is no kind of states"),
        (["--threads", "0"], "--threads 0"),
        (["env.x=1"], "env.x=1"),
    ],
)
def test_names_what_is_wrong(options, message):
    with pytest.raises(UserError, match=message):
        benchmark(["clustering", *options, "--device", "cpu"])
