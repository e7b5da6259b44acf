# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Playing a checkpoint without a simulator: how many environments its policies are played in."""

from types import SimpleNamespace

import pytest
import torch

from cgrpo_app import evaluate, export, loading, play
from cgrpo_app.launch import Launch
from cgrpo_lab.algorithms.config import CGRPOCfg


@pytest.fixture
def num_envs(tmp_path, monkeypatch):
    """Function from a command's main function, a checkpoint's content and options to the envs that are made."""
    made = []

    agent = SimpleNamespace(seed=1, algorithm=CGRPOCfg())

    def resolve(args, overrides, *, play_mode):
        chosen = [int(item.split("=")[1]) for item in overrides if item.startswith("env.scene.num_envs=")]
        scene = SimpleNamespace(num_envs=args.num_envs or (chosen[-1] if chosen else 4096))
        agent.algorithm.num_policies = 1
        return Launch("T", "rsl_rl_cfg_entry_point", SimpleNamespace(scene=scene), agent, "cpu", "none")

    def stop(launch, args, **_):
        made.append(launch.env_cfg.scene.num_envs)
        raise InterruptedError

    for command in (evaluate, play, export):
        monkeypatch.setattr(command, "open_env", stop)
    for module in (evaluate, loading):
        monkeypatch.setattr(module, "resolve", resolve)
    monkeypatch.setattr(loading, "find", lambda args, launch: tmp_path / "model_3.pt")

    def envs(command, content, *argv):
        torch.save({"iter": 3, **content}, tmp_path / "model_3.pt")
        with pytest.raises(InterruptedError):
            command.main(["--task", "T", *argv])
        return made.pop()

    return envs


def policies(number):
    """Checkpoint of an algorithm with some policies."""
    return {"algorithm": "cgrpo", "scores": torch.zeros(number)}


@pytest.mark.parametrize(
    ("command", "argv", "expected"),
    [
        (evaluate, (), {1: 256, 3: 258, 8: 256}),
        (evaluate, ("--episodes", "100"), {1: 100, 3: 102, 8: 104}),
        (evaluate, ("--episodes", "20", "--num_envs", "64"), {1: 20, 3: 21, 8: 24}),
        (play, (), {1: 4, 3: 6, 8: 8}),
        (export, (), {1: 16, 3: 18, 8: 16}),
    ],
)
def test_the_default_is_rounded_up_to_a_multiple_of_the_policies(num_envs, command, argv, expected):
    assert {number: num_envs(command, policies(number), *argv) for number in expected} == expected
    assert num_envs(command, {}, *argv) == expected[1]  # an algorithm of rsl_rl


@pytest.mark.parametrize("command", [evaluate, play, export])
@pytest.mark.parametrize("argument", ["--num_envs=5", "env.scene.num_envs=5"])
def test_a_number_on_the_command_line_stands(num_envs, command, argument):
    assert num_envs(command, policies(8), argument) == 5


def test_random_actions_need_no_checkpoint(num_envs):
    assert num_envs(evaluate, {}, "--random_actions", "--episodes", "7") == 7


def test_a_checkpoint_of_ours_leaves_the_settings_of_another_algorithm_alone(tmp_path, monkeypatch):
    ppo = SimpleNamespace(learning_rate=1e-3)
    launch = Launch("T", "ppo", SimpleNamespace(scene=SimpleNamespace()), SimpleNamespace(algorithm=ppo), "cpu", "none")
    monkeypatch.setattr(loading, "resolve", lambda *_, **__: launch)
    monkeypatch.setattr(loading, "find", lambda args, launch: tmp_path / "model_3.pt")
    torch.save({"iter": 3, **policies(8)}, tmp_path / "model_3.pt")
    loading.resolve_for_checkpoint(SimpleNamespace(num_envs=None), [], 4)
    # The runner then says that PPO did not write the checkpoint; a setting that PPO does not know would come first.
    assert vars(ppo) == {"learning_rate": 1e-3} and launch.env_cfg.scene.num_envs == 4
