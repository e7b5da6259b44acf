# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Tasks of others: found, and trained by agents that follow from their PPO."""

import json
import math

import gymnasium as gym
import pytest
import torch
from own_robot.agents import RunnerPPORunnerCfg

from isaaclab_tasks.utils import PresetCfg, load_cfg_from_registry, preset

from cgrpo_app import evaluate, train
from cgrpo_app.errors import UserError
from cgrpo_app.launch import check_trainings, registered_tasks
from cgrpo_lab.algorithms.config import CGRPOCfg
from cgrpo_lab.export import read_metadata
from cgrpo_tasks.derived_agents import adopt, derive

TASK = "Own-Runner"
ON_CPU = ("--task", TASK, "--device", "cpu")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, and beside it what an installation of the package leaves."""
    installed = tmp_path / "site" / "own_robot-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Name: own-robot\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[isaaclab.tasks]\nown_robot = own_robot\n")
    monkeypatch.syspath_prepend(str(installed.parent))
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    return working


def test_training_goes_on_exactly_and_ends_in_a_file_for_the_robot(folder, capsys):
    options = (*ON_CPU, "--seed", "3")
    train.main([*options, "--max_iterations", "4", "--run_name", "whole"])
    assert f"{TASK}: CGRPO on cpu, 8 envs, physics MJWarp, seed 3, 4 iterations" in capsys.readouterr().out
    train.main([*options, "--max_iterations", "2", "--run_name", "parts"])
    train.main([*ON_CPU, "--resume", "--max_iterations", "4"])
    (whole,), (parts,) = (sorted(folder.glob(f"logs/rsl_rl/own_runner_cgrpo/*_{name}")) for name in ("whole", "parts"))
    weights = [torch.load(run / "model_4.pt", weights_only=True)["policy_state_dict"] for run in (whole, parts)]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name
    about = read_metadata(whole / "exported" / "policy.onnx")
    assert [(term["name"], term["size"]) for term in about["observations"]] == [("policy", 19)]
    assert about["actions"] == [{"name": "action", "kind": "RunnerEnv", "size": 6}]
    evaluate.main([*ON_CPU, "--checkpoint", str(whole / "model_4.pt"), "--episodes", "8", "--json", "result.json"])
    assert json.loads((folder / "result.json").read_text())["episodes"] == 8


def test_ppo_stays_the_task_s_own(folder, capsys):
    train.main([*ON_CPU, "--agent", "ppo", "--max_iterations", "1"])
    assert f"{TASK}: PPO on cpu" in capsys.readouterr().out
    assert len(list(folder.glob("logs/rsl_rl/own_runner/*/model_1.pt"))) == 1


def test_derived_settings_are_those_of_ppo(folder):
    check_trainings(TASK, ["cgrpo", "cgrpo-full", "cgrpo-simple", "gpg", "ppo"], "cpu", 16, [])
    ppo = load_cfg_from_registry(TASK, "rsl_rl_ppo_cfg_entry_point")
    cgrpo = load_cfg_from_registry(TASK, "rsl_rl_cfg_entry_point")
    assert type(cgrpo.algorithm) is CGRPOCfg and cgrpo.algorithm.estimator == "least_squares"
    for name in ("num_steps_per_env", "max_iterations", "save_interval", "seed"):
        assert getattr(cgrpo, name) == getattr(ppo, name)
    for name in ("gamma", "clip_param", "entropy_coef", "num_learning_epochs", "num_mini_batches", "desired_kl"):
        assert getattr(cgrpo.algorithm, name) == getattr(ppo.algorithm, name)
    assert cgrpo.algorithm.estimator_options == {"lam": ppo.algorithm.lam}
    policy = cgrpo.group_policy
    assert policy.hidden_dims == [32, 16] and policy.activation == "elu" and not policy.squash
    assert policy.init_log_std == math.log(0.7) and cgrpo.obs_groups == {"actor": ["policy"]}
    full = load_cfg_from_registry(TASK, "rsl_rl_cgrpo_full_cfg_entry_point").algorithm
    assert (full.num_policies, full.num_mini_batches, full.adaptive_clip) == (2, 2, True)
    assert not load_cfg_from_registry(TASK, "rsl_rl_gpg_cfg_entry_point").init_at_random_ep_len


def test_a_preset_name_of_the_experiment_keeps_its_choices():
    ppo = RunnerPPORunnerCfg()
    ppo.experiment_name = preset(default="run", slow="walk")
    names = derive(ppo, "cgrpo", {}).experiment_name
    assert isinstance(names, PresetCfg) and (names.default, names.slow) == ("run_cgrpo", "walk_cgrpo")


def test_isaac_lab_s_tasks_have_them_too():
    check_trainings("Isaac-Cartpole-Direct", ["cgrpo", "cgrpo-full", "gpg", "ppo"], "cpu", 64, [])
    check_trainings("Isaac-Lift-Franka", ["cgrpo"], "cpu", 64, [])  # several configurations, one for each preset
    for agent in ("cgrpo", "ppo"):
        with pytest.raises(UserError, match="--task Isaac-Cartpole-Camera-Direct: has no agent that can be trained"):
            check_trainings("Isaac-Cartpole-Camera-Direct", [agent], "cpu", 64, [])


def test_a_task_that_names_its_ppo_twice_has_cgrpo_as_well(folder):
    registered_tasks()
    kwargs = dict.fromkeys(("rsl_rl_cfg_entry_point", "rsl_rl_ppo_cfg_entry_point"), RunnerPPORunnerCfg)
    env_cfg = gym.spec(TASK).kwargs["env_cfg_entry_point"]
    gym.register("Own-Twice", gym.spec(TASK).entry_point, kwargs={"env_cfg_entry_point": env_cfg, **kwargs})
    check_trainings("Own-Twice", ["cgrpo", "ppo"], "cpu", 16, [])
    assert type(load_cfg_from_registry("Own-Twice", "rsl_rl_cfg_entry_point").algorithm) is CGRPOCfg


def test_a_task_may_say_how_many_envs_a_device_gets(folder, capsys):
    registered_tasks()
    spec = gym.spec(TASK)
    kwargs = {"env_cfg_entry_point": spec.kwargs["env_cfg_entry_point"], "rsl_rl_cfg_entry_point": RunnerPPORunnerCfg}
    gym.register("Own-Sizes", spec.entry_point, kwargs={**kwargs, "num_envs_by_device": {"cpu": 4, "cuda": 4096}})
    train.main(["--task", "Own-Sizes", "--device", "cpu", "--max_iterations", "1"])
    assert "Own-Sizes: CGRPO on cpu, 4 envs" in capsys.readouterr().out


def test_an_asset_that_cannot_be_downloaded_is_named_in_one_line(folder, monkeypatch):
    def make(*args, **kwargs):
        raise FileNotFoundError("Unable to find the file: https://example.org/plane.usda")  # as Isaac Lab words it

    monkeypatch.setattr(gym, "make", make)
    with pytest.raises(UserError, match=r"--task Own-Runner: an asset .*plane.usda\); connect .* ISAACSIM_ASSET_ROOT"):
        train.main([*ON_CPU, "--max_iterations", "1"])


def test_a_task_s_own_settings_of_cgrpo_come_first(folder):
    registered_tasks()
    class_name = "cgrpo_tasks.locomotion.half_cheetah.agents:HalfCheetahCGRPORunnerCfg"
    spec = gym.spec(TASK)
    copied = {"env_cfg_entry_point": spec.kwargs["env_cfg_entry_point"]}
    copied["rsl_rl_cfg_entry_point"] = "own_robot.agents:RunnerPPORunnerCfg"
    gym.register("Own-Settings", spec.entry_point, kwargs={**copied, "rsl_rl_cgrpo_cfg_entry_point": class_name})
    gym.register("Own-Default", spec.entry_point, kwargs={**copied, "rsl_rl_cfg_entry_point": class_name})
    for task in ("Own-Settings", "Own-Default"):
        adopt(task)
        adopt(task)
        assert gym.spec(task).kwargs["rsl_rl_cfg_entry_point"] == class_name
