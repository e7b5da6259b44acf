# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Starts, ends, named rewards and descriptions of the locomotion tasks against Gymnasium's official environments."""

import importlib

import gymnasium as gym
import numpy as np
import pytest
import torch
from locomotion import lab_env, official_env

from isaaclab_tasks.utils.hydra import resolve_task_config

from cgrpo_app.env_description import describe_env, observation_names

ROBOTS = ("HalfCheetah", "Walker2d", "Ant")
STARTS = 512


@pytest.mark.parametrize("robot", ROBOTS)
def test_starts_are_drawn_as_officially(robot):
    """Every component of the start has the official mean, spread and kind of distribution."""
    official = official_env(robot, "v4")
    samples = []
    for seed in range(STARTS):
        official.reset(seed=seed)
        samples.append(np.concatenate((official.data.qpos, official.data.qvel)))
    expected = np.array(samples)
    with lab_env(robot, "v4", "mujoco", num_envs=STARTS) as env:
        drawn = torch.cat((env.qpos, env.qvel), dim=-1).numpy()
        actual_qpos, _ = env._read_state()
    scale = expected.std(axis=0)
    np.testing.assert_allclose(drawn.mean(axis=0), expected.mean(axis=0), atol=5 * scale.max() * (2 / STARTS) ** 0.5)
    np.testing.assert_allclose(drawn.std(axis=0), scale, rtol=0.2)
    # The fourth moment tells the uniform noise (1.8) from the normal one (3).
    kurtosis = (((drawn - drawn.mean(axis=0)) / drawn.std(axis=0)) ** 4).mean(axis=0)
    official_kurtosis = (((expected - expected.mean(axis=0)) / scale) ** 4).mean(axis=0)
    np.testing.assert_array_equal(kurtosis > 2.3, official_kurtosis > 2.3)
    # What is observed is what the simulation holds, but for the length of Ant's noisy quaternion.
    if robot == "Ant":
        drawn[:, 3:7] /= np.linalg.norm(drawn[:, 3:7], axis=1, keepdims=True)
    np.testing.assert_allclose(actual_qpos.numpy(), drawn[:, : official.model.nq], atol=1e-6)


@pytest.mark.parametrize("robot", ROBOTS)
def test_episodes_are_cut_after_1000_steps(robot):
    """The clock truncates as Gymnasium's TimeLimit does; nothing is published as success."""
    assert gym.spec(f"{robot}-v4").max_episode_steps == 1000
    with lab_env(robot, "v4", "mujoco", num_envs=2) as env:
        assert env.max_episode_length == 1000
        env.episode_length_buf[:] = torch.tensor([998, 0])
        action = torch.zeros(2, env.single_action_space.shape[0])
        _, _, terminated, truncated, _ = env.step(action)
        assert not terminated.any() and not truncated.any()
        *_, truncated, extras = env.step(action)
        assert truncated.tolist() == [True, False]
        assert env.episode_length_buf.tolist() == [0, 2]
        assert "outcome" not in extras


@pytest.mark.parametrize(
    ("robot", "physics"),
    [
        ("Walker2d", "mujoco"),
        ("Walker2d", "newton_mjwarp"),
        pytest.param("HalfCheetah", "mujoco", marks=pytest.mark.slow),
        pytest.param("Ant", "mujoco", marks=pytest.mark.slow),
    ],
)
def test_a_fixed_policy_returns_the_same(robot, physics):
    """Mean return and length over 100 episodes agree within three standard errors."""
    official = gym.make(f"{robot}-v4")
    size, actuators = official.observation_space.shape[0], official.action_space.shape[0]
    weight = (0.5 * np.random.default_rng(3).normal(size=(size, actuators))).astype(np.float32)
    expected = []
    for seed in range(100):
        observation, _ = official.reset(seed=seed)
        total, length, ended = 0.0, 0, False
        while not ended:
            action = np.clip(observation.astype(np.float32) @ weight, -1.0, 1.0)
            observation, reward, terminated, truncated, _ = official.step(action)
            total, length, ended = total + reward, length + 1, terminated or truncated
        expected.append((total, length))
    with lab_env(robot, "v4", physics, num_envs=100) as env:
        sums, done = torch.zeros(2, 100), torch.zeros(100, dtype=torch.bool)
        observations, _ = env.reset()
        while not done.all():
            observations, rewards, terminated, truncated, _ = env.step(
                observations["policy"] @ torch.from_numpy(weight)
            )
            sums += torch.stack((rewards, torch.ones(100))) * ~done
            done |= terminated | truncated
    expected, actual = np.array(expected).T, sums.numpy()
    error = np.sqrt((expected.var(axis=1) + actual.var(axis=1)) / 100)
    assert (np.abs(expected.mean(axis=1) - actual.mean(axis=1)) <= 3.0 * error + 1e-3).all()


@pytest.mark.parametrize(("robot", "version"), [("HalfCheetah", "v4"), ("Walker2d", "v5"), ("Ant", "v5")])
def test_reward_terms_have_the_official_names_and_sums(robot, version):
    """Terms add up to the reward of the whole episode and to the official infos."""
    with lab_env(robot, version, "mujoco", num_envs=1) as env:
        official = official_env(robot, version)
        official.set_state(env.qpos[0].numpy().astype(np.float64), env.qvel[0].numpy().astype(np.float64))
        draw = np.random.default_rng(2)
        total, infos = 0.0, []
        for step in range(5):
            action = draw.uniform(-1.0, 1.0, (1, official.model.nu)).astype(np.float32)
            env.episode_length_buf[:] = 999 if step == 4 else 0
            _, reward, _, _, extras = env.step(torch.from_numpy(action))
            total += float(reward)
            infos.append(official.step(action[0])[4])
        sums = {name: float(value) for name, value in extras["outcome_value"].items()}
    assert sum(sums.values()) == pytest.approx(total, abs=1e-4)
    renamed = {"reward_forward": "reward_run"} if (robot, version) == ("HalfCheetah", "v4") else {}
    for name, value in sums.items():
        assert value == pytest.approx(sum(info[renamed.get(name, name)] for info in infos), abs=2e-3)


@pytest.mark.parametrize("robot", ROBOTS)
def test_observations_and_actions_are_described(robot):
    """The description covers the input, names the official actuators in order and the effort of action 1."""
    with lab_env(robot, "v5", "mujoco", num_envs=1) as env:
        about = describe_env(env, f"{robot}-CGRPO", ["policy"])
        names = observation_names(env)
        size = env.single_observation_space["policy"].shape[0]
        rate = 1.0 / env.step_dt
    model = official_env(robot, "v5").model
    assert sum(term["size"] for term in about["observations"]) == size == len(names["policy"])
    assert size == gym.make(f"{robot}-v5").observation_space.shape[0]
    assert about["control_rate_hz"] == pytest.approx(rate) == gym.make(f"{robot}-v5").unwrapped.metadata["render_fps"]
    (action,) = about["actions"]
    assert action["joint_names"] == [model.joint(model.actuator(i).trnid[0]).name for i in range(model.nu)]
    assert action["scale"] == [model.actuator(i).gear[0] for i in range(model.nu)]


@pytest.mark.parametrize("robot", ["HalfCheetah", "Ant"])
def test_what_was_stepped_in_inference_mode_goes_on_outside(robot):
    with lab_env(robot, "v5", "mujoco", num_envs=1) as env:
        action = torch.ones(1, env.single_action_space.shape[0])
        with torch.inference_mode():
            env.step(action)
        env.reset()
        env.step(action)


@pytest.mark.parametrize("version", ["v4", "v5"])
def test_the_version_alone_decides_about_contact_forces(version):
    """Sizes and the solver's fields belong to it."""
    cfg, _ = resolve_task_config("Ant-CGRPO", None, overrides=[f"env={version}"])
    assert cfg.contact_forces == (cfg.observation_space == 105)
    assert cfg.contact_forces == ("cfrc_ext" in cfg.sim.physics.solver_cfg.mjdata_fields)
    with pytest.raises(AttributeError, match="contact_forces"):
        resolve_task_config("Ant-CGRPO", None, overrides=[f"env={version}", "env.contact_forces=true"])


@pytest.mark.parametrize("robot", ROBOTS)
def test_registration_says_what_the_doorstep_needs(robot):
    """Every entry point exists; the default sizes are those of the two kinds of device."""
    kwargs = gym.spec(f"{robot}-CGRPO").kwargs
    assert kwargs["num_envs_by_device"] == {"cpu": 64, "cuda": 4096}
    for key, value in kwargs.items():
        if key.endswith("entry_point") or key == "render_scene":
            module, name = value.split(":")
            assert isinstance(vars(importlib.import_module(module))[name], type)
