# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The reaching task's judge in plain MuJoCo: the same rules as the task, and episodes from a file's metadata alone."""

import json

import gymnasium as gym
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from isaaclab_tasks.utils.hydra import resolve_task_config

import cgrpo_tasks  # noqa: F401  registers the task
from cgrpo_app.env_description import describe_env
from cgrpo_app.sim2sim import main
from cgrpo_app.sim2sim_policy import METADATA_KEY
from cgrpo_app.sim2sim_reach import PandaReach

TASK = "Franka-Reach-CGRPO"
NUM_ENVS, STEPS = 4, 20
TABLE = {"pos": [0.5, 0.0, -0.5], "size": [0.9, 1.3, 1.0]}


@pytest.fixture(scope="module")
def env():
    """Some arms without observation noise."""
    cfg, _ = resolve_task_config(TASK, None, play_mode=True, overrides=["physics=mujoco"])
    cfg.scene.num_envs, cfg.sim.device, cfg.seed = NUM_ENVS, "cpu", 5
    made = gym.make(TASK, cfg=cfg)
    made.reset()
    yield made.unwrapped
    made.close()


def test_steps_rewards_and_observations_are_those_of_the_task(env):
    """Both go their own way from a common start under random actions."""
    about = describe_env(env, TASK, ["policy"])
    (action,) = about["actions"]
    generator = torch.Generator().manual_seed(0)
    actions = torch.rand(STEPS, NUM_ENVS, 7, generator=generator) * 2.0 - 1.0
    judges = [PandaReach(about["rules"], action) for _ in range(NUM_ENVS)]
    for e, judge in enumerate(judges):
        judge.reset(seed=e)
        start(judge, env, e)
    for step in range(STEPS):
        observations, rewards, *_ = env.step(actions[step])
        for e, judge in enumerate(judges):
            target = np.clip(np.array(action["scale"]) * actions[step, e].numpy() + action["offset"], *limits(action))
            observation, reward, *_ = judge.step(target)
            seen = observations["policy"][e].numpy()
            np.testing.assert_allclose(observation, seen[:27], atol=2e-3)
            np.testing.assert_array_equal(seen[27:], actions[step, e].numpy())
            # The joint whose target is clipped costs less than the action that asked for more.
            assert reward == pytest.approx(rewards[e].item(), abs=2e-4)


def test_terms_that_are_left_out_are_no_rules(env, monkeypatch):
    """Rewards, the noise of starts and the table can be set to null."""
    for cfg, names in (
        (env.cfg.rewards, ("joint_vel", "position_fine")),
        (env.cfg.events, ("reset_arm",)),
        (env.cfg.scene, ("table",)),
    ):
        for name in names:
            monkeypatch.setattr(cfg, name, None)
    about = describe_env(env, TASK, ["policy"])
    rules = about["rules"]
    assert list(rules["rewards"]) == ["position", "orientation", "orientation_fine", "action_rate"]
    assert rules["start"]["offset_range"] == [0.0, 0.0] and rules["table"] is None
    judge = PandaReach(rules, about["actions"][0])
    judge.reset(seed=0)
    np.testing.assert_array_equal(judge._data.qpos[judge._qpos], rules["start"]["joint_pos"])
    assert np.isfinite(judge.step(np.array(about["actions"][0]["offset"]))[1])
    assert judge.model.ngeom == PandaReach({**rules, "table": TABLE}, about["actions"][0]).model.ngeom - 1


def limits(action) -> np.ndarray:
    return np.array(action["clip"]).T


def start(judge: PandaReach, env, e: int) -> None:
    """Put the judge's arm and goal where those of an env are."""
    robot, command = env.scene["robot"], env.command_manager.get_command("ee_pose")[e].numpy()
    arm, _ = robot.find_joints("panda_joint.*", preserve_order=True)
    judge._data.qpos[judge._qpos] = robot.data.joint_pos.torch[e, arm].numpy()
    judge._goal, judge._goal_rotation = command[:3].astype(float), command[[6, 3, 4, 5]].astype(float)


def write_policy(path, about) -> None:
    """A policy that always asks for zero."""
    size = sum(term["size"] for term in about["observations"])
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [size, 7], np.zeros(7 * size))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["obs", "zero"], ["actions"])],
        "policy",
        [helper.make_tensor_value_info("obs", TensorProto.FLOAT, ["batch", size])],
        [helper.make_tensor_value_info("actions", TensorProto.FLOAT, ["batch", 7])],
        [zero],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(about)})
    onnx.save(model, path)


def test_a_file_is_judged_by_its_own_rules(env, tmp_path, capsys):
    """Episodes of the metadata's length with success, errors and perturbed worlds; without rules a line says so."""
    about = describe_env(env, TASK, ["policy"])
    write_policy(tmp_path / "p.onnx", about)
    command = ["--policy", str(tmp_path / "p.onnx"), "--env", "Franka-Reach", "--episodes", "3"]
    main([*command, "--robustness", "1", "--json", str(tmp_path / "r.json")])
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["length"]["mean"] == 120.0 and set(result["success"]) == {"rate", "low", "high"}
    assert result["success"]["rate"] == 0.0 and result["position_error"]["mean"] > 0.05
    # Its weight is compensated, so that gravity does not move an arm that is to stay where it is.
    still = result["perturbed"]["gravity x1.2"]["return"]["mean"]
    assert still == pytest.approx(result["perturbed"]["gravity x0.8"]["return"]["mean"], abs=1e-6)
    del about["rules"]
    write_policy(tmp_path / "old.onnx", about)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["--policy", str(tmp_path / "old.onnx"), "--env", "Franka-Reach"])
    assert ended.value.code == 2 and "export it again" in capsys.readouterr().err
