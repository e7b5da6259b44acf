# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Benchmarks whose cases run in processes of their own: seconds each, so not among the unit tests."""

import json

import pytest

from cgrpo_app.benchmarks import clustering, physics
from cgrpo_app.benchmarks import main as benchmark
from cgrpo_app.errors import UserError


def test_measures_ours_and_exact(tmp_path, capsys):
    # In processes of their own, as a user would.
    file = tmp_path / "result.json"
    options = ["--states", "600", "--dims", "3", "--data", "modes", "--device", "cpu", "--json", str(file)]
    benchmark(["clustering", *options])
    rows = json.loads(file.read_text())["rows"]
    assert [row["case"] for row in rows] == ["ours", "sklearn"]
    for row in rows:
        assert row["seconds"] > 0.0
        assert row["clusters"] >= 1
        assert 0.0 <= row["noise_share"] <= 1.0
    assert rows[1]["ari"] == 1.0
    # All 600 states are in the sample, so ours differs by its reach only.
    assert rows[0]["ari"] > 0.9
    assert "sklearn" in capsys.readouterr().out


def test_names_a_case_that_fails():
    with pytest.raises(UserError, match="case ours with 5 states failed: KeyError: 'moons'"):
        clustering._run_case({"case": "ours", "kind": "moons", "count": 5, "dim": 2, "device": "cpu"}, threads=1)


def test_physics_is_measured_beside_gymnasium_and_bare_mujoco(tmp_path):
    """On one core; every case has a rate, and the ratios are to bare MuJoCo."""
    file = tmp_path / "result.json"
    options = ["--task", "HalfCheetah-CGRPO", "--envs", "8", "--presets", "gymnasium,mujoco_warp,mujoco"]
    benchmark(["physics", *options, "--cores", "1", "--seconds", "0.5", "--device", "cpu", "--json", str(file)])
    result = json.loads(file.read_text())
    rates = {row["case"]: row["env_steps_per_s"] for row in result["rows"]}
    assert set(rates) == {"mujoco.rollout", "gymnasium", "mujoco_warp", "mujoco"} and min(rates.values()) > 0.0
    for row in result["rows"]:
        assert row["ratio_to_mujoco"] == pytest.approx(row["env_steps_per_s"] / rates["mujoco.rollout"])
    assert result["hardware"]["cpu_cores"] == 1


def test_physics_has_no_official_environment_of_every_task():
    with pytest.raises(UserError, match="Franka-Reach-CGRPO has no case 'gymnasium'"):
        physics.main(["--task", "Franka-Reach-CGRPO", "--presets", "gymnasium"])
