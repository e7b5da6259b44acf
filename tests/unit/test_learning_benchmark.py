# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The learning benchmark on little data: what it prints and writes, not how long it takes."""

import json

import pytest
import torch

from cgrpo_app.benchmarks import learning, learning_case, learning_scaling
from cgrpo_app.benchmarks import main as benchmark
from cgrpo_app.benchmarks.learning_case import Case
from cgrpo_app.errors import UserError

SMALL = Case(num_envs=4, num_steps=4, hidden=4, epochs=1, mini_batches=1, repeats=1)


def test_all_cases_learn_from_the_same(monkeypatch, capsys):
    monkeypatch.setattr(learning, "run_case", learning_case.main)
    rows = learning.compare(SMALL, [1, 2])
    assert [(row["case"], row["num_policies"]) for row in rows] == [
        ("ppo", 1),
        ("ours", 1),
        ("ours", 2),
        ("separate", 2),
    ]
    assert rows[0]["time_ratio"] == 1.0 and all(row["cpu_seconds"] > 0.0 for row in rows)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 5 and "rsl_rl" not in printed[0]


@pytest.mark.parametrize("case", ["ours", "separate", "ppo"])
def test_learning_changes_the_policies(case):
    settings = Case(**{**vars(SMALL), "case": case, "num_policies": 1})
    env = learning_case.Recording(settings, 4)
    learner = learning_case.make_learner(settings, env)
    parameters = learner.actor.parameters() if case == "ppo" else learner.policy.parameters()
    before = torch.cat([p.detach().flatten() for p in parameters])
    learner.train_mode()
    learning_case.fill(learner, env)
    learning_case.time_learning([learner], env)
    parameters = learner.actor.parameters() if case == "ppo" else learner.policy.parameters()
    assert not torch.equal(before, torch.cat([p.detach().flatten() for p in parameters]))


def test_slope_of_a_power():
    assert learning_scaling.slope([1, 2, 4], [3.0, 12.0, 48.0]) == pytest.approx(2.0)


SCALING = ["learning", "--scaling", "--device", "cpu", "--repeats", "1", "--num_envs", "4", "--num_steps", "2"]
SCALING += ["--hidden", "2", "--epochs", "1", "--mini_batches", "1"]


def test_scaling_is_printed_written_and_drawn(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(learning_scaling, "STEPS", 2)
    files = ["--json", str(tmp_path / "found.json"), "--picture", str(tmp_path / "new" / "found.png")]
    benchmark([*SCALING, *files])
    found = json.loads((tmp_path / "found.json").read_text())["factors"]
    # Two hidden layers of 2 and 4 units between 17 observations and 6 actions, and 6 deviations.
    assert found["parameters d"]["sizes"] == [18 * 2 + 3 * 2 + 3 * 6 + 6, 18 * 4 + 5 * 4 + 5 * 6 + 6]
    assert [len(factor["seconds"]) for factor in found.values()] == [2] * 4
    assert capsys.readouterr().out.count("slope") == 4
    assert (tmp_path / "new" / "found.png").read_bytes().startswith(b"\x89PNG")


def test_figures_outlive_a_picture_that_cannot_be_written(monkeypatch, tmp_path):
    def measure(base):
        """Takes the picture's folder away."""
        (tmp_path / "folder").rmdir()
        (tmp_path / "folder").touch()
        return {}

    monkeypatch.setattr(learning_scaling, "measure", measure)
    picture = tmp_path / "folder" / "found.png"
    with pytest.raises(UserError, match="--picture .*/folder/found.png: cannot be written"):
        benchmark([*SCALING, "--json", str(tmp_path / "found.json"), "--picture", str(picture)])
    assert json.loads((tmp_path / "found.json").read_text())["factors"] == {}


@pytest.mark.parametrize("option", ["--json", "--picture"])
def test_a_place_that_cannot_be_written_shows_before_anything_is_measured(option, monkeypatch, tmp_path):
    monkeypatch.setattr(learning_scaling, "measure", lambda base: pytest.fail("measured"))
    with pytest.raises(UserError, match=r"cannot be written \(it is a folder\)"):
        benchmark([*SCALING, option, str(tmp_path)])


def test_scaling_is_measured_on_one_thread_as_the_cases_are(monkeypatch):
    threads, before = [], torch.get_num_threads()
    figures = {"seconds": 1.0, "cpu_seconds": 1.0}
    monkeypatch.setattr(learning_scaling, "run", lambda case: [threads.append(torch.get_num_threads()) or figures])
    try:
        torch.set_num_threads(2)
        learning_scaling.measure(SMALL)
        assert set(threads) == {1}
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--policies", "two"], "--policies two"),
        (["--policies", "3"], "64 cannot be divided among 3"),
        (["--repeats", "0"], "--repeats 0"),
        (["env.x=1"], "env.x=1"),
        (["--picture", "x.png"], "--picture x.png: draws the scaling; add --scaling"),
    ],
)
def test_names_what_is_wrong(options, message):
    with pytest.raises(UserError, match=message):
        benchmark(["learning", *options, "--device", "cpu"])


def test_memory_too_small_to_be_seen_is_compared_all_the_same(monkeypatch):
    figures = {"seconds": 1.0, "cpu_seconds": 1.0, "advantage_seconds": 0.5, "memory_mb": 0.0}
    monkeypatch.setattr(learning, "run_case", lambda case: dict(figures))
    assert [row["memory_ratio"] for row in learning.compare(SMALL, [1])] == [1.0, 1.0]
