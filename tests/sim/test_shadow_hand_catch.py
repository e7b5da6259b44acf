# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The catching task against a second one in plain MuJoCo and numpy: steps, rules, starts, groups."""

from contextlib import contextmanager
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from plain_catch import PlainCatch, State
from scipy.spatial.transform import Rotation
from scipy.stats import ks_2samp

from isaaclab_tasks.utils.hydra import resolve_task_config

import cgrpo_tasks  # noqa: F401  registers the task
from cgrpo_app.group_resets import GroupResets
from cgrpo_lab.validation import ConfigError
from cgrpo_tasks.manipulation.shadow_hand_catch.two_agents import TwoAgentView

TASK = "Shadow-Hand-Catch-Abreast-CGRPO"
BLOCKS = {"joint": 24, "spin": 24, "torque": 24, "tips": 65, "wrench": 30, "base": 6, "action": 26}
"""Sizes of what is observed of a hand."""


@contextmanager
def lab_env(shape: str, physics: str, num_envs: int, *overrides: str):
    """Make and reset an environment on the CPU, and close it again."""
    cfg, _ = resolve_task_config(TASK, None, overrides=[f"env={shape}", f"physics={physics}", *overrides])
    cfg.scene.num_envs, cfg.sim.device, cfg.seed = num_envs, "cpu", 7
    made = gym.make(TASK, cfg=cfg)
    try:
        made.reset()
        yield made.unwrapped
    finally:
        made.close()


@pytest.fixture(scope="module")
def env(request):
    """Eight envs on MuJoCo C, with the object that the test asks for."""
    with lab_env(request.param, "mujoco", 8) as made:
        yield made


def with_objects(*shapes: str):
    """Run a test with these objects; tests of one object share their environment."""
    return pytest.mark.parametrize("env", shapes, indirect=True)


def put(env, states: list[State]) -> None:
    """Put the envs into states of the other task."""
    qpos, qvel = np.array([state.qpos for state in states]), np.array([state.qvel for state in states])
    turning = [Rotation.from_quat(q[63:], scalar_first=True).apply(v[63:]) for q, v in zip(qpos, qvel, strict=True)]
    hands = [np.stack((x[:, :30], x[:, 30:60])) for x in (qpos, qvel)]
    pose = np.concatenate((qpos[:, 60:63], np.roll(qpos[:, 63:], -1, axis=1)), axis=1)
    velocity = np.concatenate((qvel[:, 60:63], turning), axis=1)
    goals = np.array([state.goal.as_quat() for state in states])
    tensors = (torch.from_numpy(x).float() for x in (*hands, pose, velocity, goals))
    env.set_state(torch.arange(len(states), dtype=torch.int32), *tensors)
    env.episode_length_buf[:] = 0


def same_signs(observation: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Turn quaternions, which mean the same as their negatives, to the signs of another observation ``[422]``."""
    starts = [72 + 199 * hand + 13 * tip + 3 for hand in (0, 1) for tip in range(5)] + [401, 414, 418]
    observation = observation.copy()
    for start in starts:
        part = slice(start, start + 4)
        observation[part] *= np.sign(observation[part] @ like[part])
    return observation


def compare(env, plain: PlainCatch, steps: int) -> dict[str, np.ndarray]:
    """Follow the other task's trajectories of random actions, one per env; largest errors of each control step."""
    draw = np.random.default_rng(0)
    states = [plain.start(draw) for _ in range(env.num_envs)]
    rows = []
    for _ in range(steps):
        states = [state.rounded() for state in states]
        actions = draw.uniform(-1.0, 1.0, (env.num_envs, 52)).astype(np.float32)
        put(env, states)
        observations, rewards, ends, *_ = env.step(torch.from_numpy(actions))
        for e, state in enumerate(states):
            after, reward, ended = plain.step(state, actions[e].astype(np.float64))
            assert ended == bool(ends[e])
            states[e] = plain.start(draw) if ended else after
            lab, expected = observations["policy"][e].numpy(), plain.observe(after, actions[e])
            rows.append([ended, plain.touches, abs(float(rewards[e]) - reward), *(lab - same_signs(expected, lab))])
    columns = np.abs(np.array(rows, dtype=np.float64)).T
    parts = dict(zip(("ended", "touches", "reward"), columns, strict=False))
    # Where the episode ended, what is observed is the next start.
    observed = columns[3:, columns[0] == 0]
    names = [name for _ in range(2) for name, size in BLOCKS.items() for _ in range(size)]
    names += ["object"] * 7 + ["velocity"] * 6 + ["goal"] * 11
    for name in dict.fromkeys(names):
        parts[name] = observed[[n == name for n in names]].max(axis=0)
    return parts


def assert_equal_steps(errors: dict[str, np.ndarray], share: float, limits: dict[str, float]) -> None:
    """In this share of the steps, errors are within limits; contacts that begin or end within a step take the rest."""
    assert errors["ended"].sum() > 4 and errors["touches"].mean() > 0.3
    for name, limit in limits.items():
        assert np.quantile(errors[name], share) < limit, (name, np.quantile(errors[name], share))


def test_one_step_of_mujoco_warp():
    """As with MuJoCo C, but in float32, where contacts differ more. (First: there is one simulation at a time.)"""
    with lab_env("egg", "newton_mjwarp", 8) as env:
        errors = compare(env, PlainCatch("egg"), steps=15)
    limits = {"joint": 5e-4, "spin": 5e-3, "torque": 5e-3, "tips": 2e-2, "wrench": 5e-2, "base": 5e-5, "action": 1e-7}
    assert_equal_steps(errors, 0.9, limits | {"object": 1e-3, "velocity": 5e-2, "goal": 1e-3, "reward": 1e-5})


@with_objects("egg", "block", "pen")
def test_one_step_from_the_same_state(env):
    """Observation, reward and the end of the episode are those of the other task, in contact as well.

    Limits are in the observation's units: of joints half their range, of torques and forces 0.1 N m and 0.1 N.
    """
    shape = env.cfg.scene.object.spawn.spec.split(":")[1].removeprefix("catch_").removesuffix("_spec")
    errors = compare(env, PlainCatch(shape), steps=20)
    limits = {"joint": 2e-5, "spin": 2e-4, "torque": 2e-4, "tips": 1e-3, "wrench": 5e-3, "base": 5e-5, "action": 1e-7}
    assert_equal_steps(errors, 0.98, limits | {"object": 1e-4, "velocity": 5e-3, "goal": 1e-4, "reward": 1e-6})


@with_objects("egg", "block", "pen")
def test_starts(env):
    """Hands and object start where they should, at rest; rotations of object and goal are distributed as there."""
    plain, draw = PlainCatch("pen" if env.cfg.start_pitch else "egg"), np.random.default_rng(1)
    ours, goals = [], []
    for _ in range(100):
        env._reset_idx(torch.arange(8))
        pose, goal = env.object.data.root_link_pose_w.torch, env.goal_rotation
        np.testing.assert_allclose(pose[:, :3], np.tile(plain.start_position, (8, 1)), atol=1e-6)
        ours.append(pose[:, 3:].clone())
        goals.append(goal.clone())
    for hand in env.hands:
        assert not hand.qpos.any() and not hand.qvel.any()
    assert not env.object.data.root_link_vel_w.torch.any()
    states = [plain.start(draw) for _ in range(2000)]
    objects = Rotation.from_quat([state.qpos[63:] for state in states], scalar_first=True)
    for sample, expected in ((ours, objects), (goals, Rotation.concatenate([state.goal for state in states]))):
        pair = Rotation.from_quat(torch.cat(sample).numpy()), expected
        # Rounded, as one entry is always zero, up to the precision.
        entries = [rotations.as_matrix().reshape(-1, 9).T.round(5) for rotations in pair]
        for entry, other in zip(*entries, strict=True):
            assert ks_2samp(entry, other).pvalue > 1e-4


@with_objects("egg")
def test_success_and_the_ends_of_episodes(env):
    """Success is to have come within 3 cm of the goal; falling, straying palms and 150 steps end an episode."""
    plain = PlainCatch("egg")
    states = [plain.start(np.random.default_rng(2)) for _ in range(8)]
    states[0].qpos[60:63] = plain.goal_position + [0.0, 0.0, 0.02]
    states[1].qpos[60:63] = plain.goal_position + [0.0, 0.0, 0.04]
    states[2].qpos[62] = 0.21
    states[3].qpos[62] = 0.19
    # Along the fingers, a slide of the base moves the palm as far.
    states[4].qpos[2] = 0.09
    states[5].qpos[32] = 0.12
    put(env, states)
    env.episode_length_buf[6] = 149
    _, _, terminated, truncated, extras = env.step(torch.zeros(8, 52))
    assert terminated.tolist() == [False, False, False, True, False, True, False, False]
    assert truncated.nonzero().flatten().tolist() == [6]
    env._reset_idx(torch.arange(8))
    assert extras["outcome"]["success"].tolist() == [True] + [False] * 7
    assert extras["outcome_value"]["closest_distance"][1] == pytest.approx(0.04, abs=2e-3)


@with_objects("egg")
def test_actions_beyond_one_are_actions_of_one(env):
    plain = PlainCatch("egg")
    put(env, [plain.start(np.random.default_rng(3))] * 8)
    observations, *_ = env.step(torch.tensor([[1.0] * 52, [3.0] * 52] * 4))
    assert torch.equal(observations["policy"][0], observations["policy"][1])


@with_objects("egg")
def test_what_was_stepped_in_inference_mode_goes_on_outside(env):
    with torch.inference_mode():
        env.step(torch.zeros(8, 52))
    env.reset()
    env.step(torch.zeros(8, 52))


def test_environments_that_lie_apart_are_refused():
    with pytest.raises(ConfigError, match="env.scene.env_spacing=2.0: must be 0.0"):
        with lab_env("egg", "mujoco", 2, "env.scene.env_spacing=2.0"):
            pass


@with_objects("egg")
def test_states_are_compared_by_bases_object_and_goal(env):
    env.reset(seed=5)
    observations, *_ = env.step(torch.rand(8, 52) - 0.5)
    everything = observations["policy"]
    parts = everything[:, 167:173], everything[:, 366:372], everything[:, 398:]
    assert torch.equal(observations["poses"], torch.cat(parts, dim=1))


@with_objects("egg")
def test_groups_share_start_and_goal(env):
    """What the ``episode`` estimator needs."""
    with GroupResets(env, 4):
        observed = env._get_observations()["policy"].view(2, 4, 422)
    assert torch.equal(observed, observed[:, :1].expand_as(observed))
    assert not torch.equal(observed[0, 0], observed[1, 0])


@with_objects("egg")
def test_two_agents_see_their_own_hands_and_share_the_reward(env):
    view, plain = TwoAgentView(env), PlainCatch("egg")
    assert view.agents == view.possible_agents == ["right", "left"] and view.num_agents == 2
    view.reset(seed=4)
    put(env, [plain.start(np.random.default_rng(4))] * 8)
    # The left hand acts in every other env, the right one in none.
    acting = torch.tensor([0.0, 1.0] * 4).unsqueeze(1).expand(8, 26)
    observations, rewards, terminated, truncated, _ = view.step({"right": 0 * acting, "left": 0.3 * acting})
    assert rewards["right"] is rewards["left"] and not (terminated["left"] | truncated["right"]).any()
    for agent, differs in (("right", False), ("left", True)):
        assert view.observation_space(agent).shape == observations[agent].shape[1:] == (223,)
        assert view.action_space(agent).shape == (26,)
        assert torch.equal(observations[agent][0], observations[agent][1]) != differs
    assert torch.equal(view.state()[:, :199], observations["right"][:, :199])
    assert torch.equal(view.state()[:, 199:], observations["left"])


@with_objects("egg")
def test_layout_is_as_described(env):
    """Every term of the description holds what its name says, and the documentation has the same table."""
    described = env.policy_description()
    sizes = [term["size"] for term in described["observations"]]
    assert sum(sizes) == 422 and sum(action["size"] for action in described["actions"]) == 52
    page = (Path(__file__).parents[2] / "docs/tasks/shadow_hand_catch.md").read_text()
    starts = np.cumsum([0, *sizes[:-1]])
    for start, term in zip(starts, described["observations"], strict=True):
        assert f"| {start} - {start + term['size'] - 1} | `{term['name']}` |" in page
