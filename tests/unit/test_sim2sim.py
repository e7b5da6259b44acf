# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The judge outside: exported policies in the official environments."""

import errno
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from cgrpo_app.sim2sim import main, make_env, run
from cgrpo_app.sim2sim_perturbation import FACTORS, PARAMETERS, Perturbation, all_perturbations
from cgrpo_app.sim2sim_policy import METADATA_KEY, OnnxPolicy, PolicyMismatch

ROOT = Path(__file__).resolve().parents[2]
GEARS = {"bthigh": 120.0, "bshin": 90.0, "bfoot": 60.0, "fthigh": 120.0, "fshin": 60.0, "ffoot": 30.0}
TERMS = {
    "root_height": 1,
    "root_pitch": 1,
    "joint_pos": 6,
    "root_lin_vel": 2,
    "root_pitch_rate": 1,
    "joint_vel": 6,
}


def write_policy(path: Path, weight: np.ndarray, terms=None, joints=None, actions=None, **term) -> Path:
    """Write a linear policy ``actions = obs @ weight`` for HalfCheetah with its metadata, ``actions`` if given."""
    joints = joints or list(GEARS)
    about = {
        "task": "HalfCheetah-CGRPO",
        "observations": [
            {"name": name, "size": size, "scale": 1.0, "clip": None} | term for name, size in (terms or TERMS).items()
        ],
        "actions": actions
        or [
            {
                "name": "joint_effort",
                "joint_names": joints,
                "scale": [GEARS.get(name, 1.0) for name in joints],
                "offset": [0.0] * len(joints),
                "clip": [[-GEARS.get(name, 1.0), GEARS.get(name, 1.0)] for name in joints],
            }
        ],
    }
    rows, columns = weight.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["obs", "weight"], ["actions"])],
        "policy",
        [helper.make_tensor_value_info("obs", TensorProto.FLOAT, ["batch", rows])],
        [helper.make_tensor_value_info("actions", TensorProto.FLOAT, ["batch", columns])],
        [numpy_helper.from_array(weight.astype(np.float32), "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(about)})
    onnx.save(model, path)
    return path


@pytest.fixture
def env():
    made = gym.make("HalfCheetah-v5", max_episode_steps=20)
    made.reset(seed=0)
    yield made
    made.close()


def load(path: Path, env) -> OnnxPolicy:
    return OnnxPolicy(path, "HalfCheetah-v5", env.unwrapped.model, 17)


def test_inputs_and_outputs_go_by_their_names(tmp_path, env):
    """A policy with other orders of terms and joints gets what it asks for and moves what it means."""
    weight, observation = np.random.default_rng(0).normal(size=(17, 6)), np.random.default_rng(1).normal(size=17)
    terms = dict(reversed(TERMS.items()))
    joints = list(reversed(GEARS))
    controls = load(write_policy(tmp_path / "p.onnx", weight, terms, joints), env)(observation)
    parts = np.split(observation, np.cumsum(list(TERMS.values()))[:-1])
    expected = np.clip(np.concatenate(parts[::-1]) @ weight, -1.0, 1.0)[::-1]
    np.testing.assert_allclose(controls, expected, atol=1e-5)


def test_scale_and_clip_of_observations(tmp_path, env):
    weight, observation = np.eye(17, 6) * 0.1, np.linspace(-4.0, 4.0, 17)
    policy = load(write_policy(tmp_path / "p.onnx", weight, scale=2.0, clip=[-3.0, 3.0]), env)
    np.testing.assert_allclose(policy(observation), 0.1 * np.clip(2.0 * observation[:6], -3.0, 3.0), atol=1e-6)


@pytest.mark.parametrize("scale", [None, 2.0, -2.0, (0.5, -1.0, 3.0, -0.1, 1.0, 2.0)])
def test_a_manager_clips_before_it_scales_and_the_judge_sees_the_same(tmp_path, env, scale):
    """The description turns the clip of Isaac Lab's managers into one of the scaled values."""
    from cgrpo_app.env_description import _observation_terms

    # Isaac Lab's manager has made a tensor of the scale.
    cfg = SimpleNamespace(scale=None if scale is None else torch.tensor(scale), clip=(-3.0, 1.0))
    manager = SimpleNamespace(active_terms={"policy": ["joint_pos"]}, group_obs_term_dim={"policy": [(6,)]})
    group = SimpleNamespace(policy=SimpleNamespace(joint_pos=cfg))
    lab = SimpleNamespace(observation_manager=manager, cfg=SimpleNamespace(observations=group))
    (term,) = json.loads(json.dumps(_observation_terms(lab, ["policy"], {})))

    path = write_policy(tmp_path / "p.onnx", 0.1 * np.eye(6), {"joint_pos": 6}, scale=term["scale"], clip=term["clip"])
    observation = np.zeros(17)
    observation[2:8] = (-5.0, -2.0, -0.5, 0.5, 2.0, 4.0)
    expected = (1.0 if scale is None else np.array(scale)) * observation[2:8].clip(-3.0, 1.0)
    np.testing.assert_allclose(load(path, env)(observation), 0.1 * expected, atol=1e-6)


def test_policies_of_other_robots_are_refused(tmp_path, env):
    with pytest.raises(PolicyMismatch, match="does not observe contact_forces"):
        load(write_policy(tmp_path / "p.onnx", np.zeros((18, 6)), TERMS | {"contact_forces": 1}), env)
    with pytest.raises(PolicyMismatch, match="the policy hip_1"):
        load(write_policy(tmp_path / "p.onnx", np.zeros((17, 1)), joints=["hip_1"]), env)


@pytest.mark.parametrize("actions", [[{"name": "force"}], [{"name": "left", "joint_names": []}, {"name": "right"}]])
def test_policies_of_other_actions_are_refused(tmp_path, env, actions):
    """One term has to command the joints: no force on a body, no two hands."""
    with pytest.raises(
        PolicyMismatch, match="takes one action term, of joints; .*HalfCheetah-CGRPO has (force|left, right)"
    ):
        load(write_policy(tmp_path / "p.onnx", np.zeros((17, 6)), actions=actions), env)


def test_actions_without_clip_are_not_clipped(tmp_path, env):
    term = {"name": "joint_effort", "joint_names": list(GEARS), "scale": list(GEARS.values()), "offset": [0.0] * 6}
    path = write_policy(tmp_path / "p.onnx", np.eye(17, 6), actions=[{**term, "clip": None}])
    np.testing.assert_allclose(load(path, env)(np.full(17, -4.0)), -4.0)


def test_late_actions_start_with_none(tmp_path, env, monkeypatch):
    """With a delay of 2 the first two controls are zero and the third is the policy's first."""
    policy = load(write_policy(tmp_path / "p.onnx", np.random.default_rng(0).normal(size=(17, 6))), env)
    applied, step = [], type(env).step
    monkeypatch.setattr(type(env), "step", lambda self, action: (applied.append(action), step(self, action))[1])
    first = policy(env.reset(seed=5)[0])
    run(env, policy, episodes=1, seed=5, perturbation=Perturbation(delay=2))
    assert len(applied) == 20 and not np.any(applied[:2])
    np.testing.assert_array_equal(applied[2], first)


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_parameters_are_multiplied(env, parameter):
    """One parameter changes by the factor, the masses' inertias with them, the rest stays."""
    original = gym.make("HalfCheetah-v5").unwrapped.model
    changed = env.unwrapped.model
    Perturbation(parameter=parameter, factor=1.2).apply(changed)
    for name, field in (
        ("mass", "body_mass"),
        ("mass", "body_inertia"),
        ("friction", "geom_friction"),
        ("actuator_gain", "actuator_gainprm"),
    ):
        before, after = getattr(original, field), getattr(changed, field)
        factor = 1.2 if name == parameter else 1.0
        if field == "geom_friction":
            np.testing.assert_array_equal(after[:, 1:], before[:, 1:])
            before, after = before[:, 0], after[:, 0]
        np.testing.assert_allclose(after, factor * before)
    np.testing.assert_allclose(changed.opt.gravity, (1.2 if parameter == "gravity" else 1.0) * original.opt.gravity)


def test_every_perturbation_has_a_name_of_its_own():
    names = [perturbation.name for perturbation in all_perturbations()]
    assert len(set(names)) == len(names) == 3 + 2 + len(PARAMETERS) * len(FACTORS)


def test_command_needs_neither_isaac_lab_nor_torch(tmp_path):
    """A run folder's policy, judged in a process of its own and compared with the result in Isaac Lab."""
    (tmp_path / "exported").mkdir()
    write_policy(tmp_path / "exported" / "policy.onnx", np.zeros((17, 6)))
    (tmp_path / "report.json").write_text(json.dumps({"final_policy": {"return": {"mean": 2.0}}}))
    arguments = [f"--policy={tmp_path}", "--env=HalfCheetah-v5", "--episodes=2", f"--json={tmp_path / 'r.json'}"]
    arguments += [f"--reference={tmp_path / 'report.json'}"]
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'source')!r}); from cgrpo_app.sim2sim import main; "
        f"main({arguments!r}); print('heavy:', [m for m in ('torch', 'isaaclab', 'warp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "heavy: []" in done.stdout
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["episodes"] == 2 and set(result["return"]) == {"mean", "std"}
    assert result["length"]["mean"] == 1000.0
    assert result["return_ratio"] == pytest.approx(result["return"]["mean"] / 2.0)
    assert 0.0 < result["latency_s"]["p50"] <= result["latency_s"]["p99"]


def test_making_an_environment_prints_nothing():
    """Neither that v4 is old nor the news of Gymnasium-Robotics, which it prints when it is first imported."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'source')!r}); from pathlib import Path; "
        "from cgrpo_app.sim2sim import make_env; "
        "[make_env(name, Path()) for name in ('HalfCheetah-v4', 'HandManipulateBlockRotateZ-v1')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--policy", "missing.onnx", "--env", "Ant-v4"), "--policy missing.onnx: there is no such file"),
        (("--policy", "missing.onnx"), "the following arguments are required: --env (see --help)"),
        (("--policy", "missing.onnx", "--env", "Hopper-v4"), "--env Hopper-v4: there are HalfCheetah"),
        (("--policy", "missing.onnx", "--env", "Ant-v4", "--episodes", "0"), "--episodes 0"),
        (("--policy", "missing.onnx", "--env", "Ant-v4", "--seed", "-5"), "--seed -5: must be at least 0"),
        (("--policy", __file__, "--env", "Ant-v4"), "test_sim2sim.py: is no ONNX model"),
        (("--policy", __file__, "--env", "Franka-Reach"), "test_sim2sim.py: is no ONNX model"),
        (("--policy", __file__, "--env", "Ant-v4", "--json", f"{__file__}/r.json"), "r.json: cannot be written"),
        (("--policy", __file__, "--env", "Ant-v4", "--json", str(ROOT)), "cannot be written (it is a folder)"),
        (("--policy", __file__, "--env", "Ant-v4", "--reference", __file__), "test_sim2sim.py: holds no mean return"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line


@pytest.mark.parametrize("content", [{}, [], {"return": 3.0}, {"return": {"mean": None}}, {"return": {"mean": 0.0}}])
def test_a_reference_without_return_is_told_before_the_episodes(content, tmp_path, capsys):
    reference = tmp_path / "report.json"
    reference.write_text(json.dumps(content))
    test_mistakes_are_told_in_one_line(
        ("--policy", __file__, "--env", "Ant-v4", "--reference", str(reference)), "holds no mean return", capsys
    )


def test_a_result_that_cannot_be_written_is_printed_all_the_same(tmp_path, capsys, monkeypatch):
    policy = write_policy(tmp_path / "p.onnx", np.zeros((17, 6)))

    def fill_disk(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill_disk)
    arguments = [
        "--policy",
        str(policy),
        "--env",
        "HalfCheetah-v5",
        "--episodes",
        "1",
        "--json",
        str(tmp_path / "r.json"),
    ]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    told = capsys.readouterr()
    assert ended.value.code == 2 and "No space left on device" in told.err and "return" in told.out


class TestHand:
    """The block task in Gymnasium-Robotics' official environment."""

    @pytest.fixture
    def hand(self):
        made = make_env("HandManipulateBlockFullDense-v1", Path())
        yield made
        made.close()

    def test_targets_reach_the_actuators_and_what_follows_from_the_goal_is_told(self, hand):
        seen, _ = hand.reset(seed=0)
        low, high = hand.unwrapped.model.actuator_ctrlrange.T
        target = np.random.default_rng(0).uniform(low, high)
        seen, reward, _, _, info = hand.step(target)
        np.testing.assert_allclose(hand.unwrapped.data.ctrl, target, atol=1e-6)
        assert seen.shape == hand.observation_space.shape
        block, goal = seen[54:61], seen[61:68]
        np.testing.assert_allclose(seen[68:71], goal[:3] - block[:3])
        official = 2.0 * np.arccos(np.clip(block[3:] @ goal[3:], -1.0, 1.0))
        assert info["outcome"]["rotation_error"] == pytest.approx(official, abs=1e-6)
        assert reward == pytest.approx(-10.0 * info["outcome"]["position_error"] - official, abs=1e-6)
        shortest = np.linalg.norm(seen[74:77])
        assert shortest == pytest.approx(min(official, 2.0 * np.pi - official), abs=1e-6)

    def test_a_policy_is_judged_by_the_commands(self, hand, tmp_path, capsys):
        names = [hand.unwrapped.model.joint(i).name for i in hand.unwrapped.model.actuator_trnid[:, 0]]
        joints = [name.removeprefix("robot0:") for name in reversed(names)]
        terms = {"goal_quat": 4, "shortest_rotation_error": 3}
        policy = write_policy(tmp_path / "hand.onnx", np.zeros((7, 20)), terms=terms, joints=joints)
        result = tmp_path / "result.json"
        main(
            [
                "--policy",
                str(policy),
                "--env",
                "HandManipulateBlockRotateZ-v1",
                "--episodes",
                "2",
                "--json",
                str(result),
            ]
        )
        judged = json.loads(result.read_text())
        assert judged["length"] == {"mean": 100.0, "std": 0.0} and 0.0 <= judged["success"]["rate"] <= 1.0
        assert "success" in capsys.readouterr().out
