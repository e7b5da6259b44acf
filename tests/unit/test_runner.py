# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The training loop on a small task: repeatable, resumable, interruptible, and never a broken file."""

import csv
import errno
import itertools
import logging
import math
import signal
from types import SimpleNamespace

import pytest
import torch
from dummy_env import DummyEnv, DummyEnvState, ppo_cfg, runner_cfg
from rsl_rl.runners import OnPolicyRunner
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cgrpo_lab.algorithms import ConfigError
from cgrpo_lab.runners import CGRPORunner, CheckpointError, NonFiniteError, cgrpo_runner
from cgrpo_lab.runners.curves import draw_curves

SIMPLE = {"num_policies": 2, "num_groups": 2}
FULL = {
    **SIMPLE,
    "adaptive_clip": True,
    "smoothness_coef": 0.01,
    "diversity_coef": 0.01,
    "reference_size": 1,
}
CONFIGS = {
    "cgrpo": runner_cfg,
    "full": lambda: runner_cfg(**FULL),
    "clusters": lambda: runner_cfg(estimator="state_cluster", num_policies=2),
    "time_step": lambda: runner_cfg(estimator="time_step", estimator_options={}),
    "episode": lambda: runner_cfg(estimator="episode", estimator_options={"group_size": 2}),
    "ppo": ppo_cfg,
    "ppo_linear": lambda: ppo_cfg({"schedule": "linear", "reward_normalization": True}),
}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Pictures, and rsl_rl's notes about the repository at every start, take longer than these trainings."""
    monkeypatch.setattr("rsl_rl.utils.logger.Logger._store_code_state", lambda self: [])
    monkeypatch.setattr(cgrpo_runner, "draw_curves", lambda table, picture, title: None)


def make(cfg=None, folder=None, seed=0, env=None, **options):
    torch.manual_seed(seed)
    env = env or DummyEnv(16, groups=("policy", "privileged"))
    log_dir = str(folder) if folder else None
    return CGRPORunner(env, cfg or runner_cfg(), log_dir, "cpu", env_state=DummyEnvState(env), **options)


def state(runner):
    """All tensors of the algorithm's checkpoint, by name."""
    found = {}

    def walk(prefix, value):
        if isinstance(value, (dict, list, tuple)):
            for name, part in value.items() if isinstance(value, dict) else enumerate(value):
                walk(f"{prefix}.{name}", part)
        else:
            found[prefix] = value

    walk("", runner.alg.save())
    return found


def assert_same(first, second):
    a, b = state(first), state(second)
    assert a.keys() == b.keys()
    for name, value in a.items():
        same = torch.equal(value, b[name]) if isinstance(value, torch.Tensor) else value == b[name]
        assert same, f"{name} differs"


def table(folder):
    with (folder / "progress.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# -- Repeatable and resumable ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGS)
def test_same_seed_same_run(name):
    first, second, other = (make(CONFIGS[name](), seed=seed) for seed in (5, 5, 6))
    for runner, seed in ((first, 5), (second, 5), (other, 6)):
        torch.manual_seed(seed)
        runner.learn(3)
    assert_same(first, second)
    with pytest.raises(AssertionError, match="differs"):
        assert_same(first, other)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(name, tmp_path):
    random_ages = name == "time_step"  # which compares steps of the same age
    whole = make(CONFIGS[name](), tmp_path / "whole")
    whole.learn(5, init_at_random_ep_len=random_ages)
    first = make(CONFIGS[name](), tmp_path / "parts")
    first.learn(2, init_at_random_ep_len=random_ages)
    torch.rand(17)  # whatever else happens between the two processes
    second = make(CONFIGS[name](), tmp_path / "parts", seed=99)
    second.load(str(tmp_path / "parts" / "model_2.pt"))
    torch.rand(3)
    second.learn(3)
    assert_same(whole, second)
    assert torch.equal(whole.env.position, second.env.position)
    assert (second.current_learning_iteration, second.total_steps) == (5, 5 * 16 * 16)
    timed = ("wall_time_s", "Perf/")
    for a, b in zip(table(tmp_path / "whole"), table(tmp_path / "parts"), strict=True):
        assert {k: v for k, v in a.items() if not k.startswith(timed)} == {
            k: v for k, v in b.items() if not k.startswith(timed)
        }
    assert float(table(tmp_path / "parts")[-1]["wall_time_s"]) > float(table(tmp_path / "parts")[1]["wall_time_s"])


def test_the_algorithm_draws_by_the_seed_of_its_settings():
    first, second = (state(make({**runner_cfg(), "seed": seed})) for seed in (3, 4))
    for name in ("policy_state_dict.vectors", "estimator_state_dict.features.cosines.directions", "generator_state"):
        assert not torch.equal(first[f".{name}"], second[f".{name}"]), name


def test_resuming_from_an_earlier_checkpoint_forgets_the_later_rows(tmp_path):
    runner = make({**runner_cfg(), "save_interval": 2}, tmp_path)
    runner.learn(4)
    again = make(runner_cfg(), tmp_path)
    again.load(str(tmp_path / "model_2.pt"))
    again.learn(1)
    assert [row["iteration"] for row in table(tmp_path)] == ["1", "2", "3"]


def test_without_an_env_state_a_resumed_run_starts_new_episodes(tmp_path):
    make(runner_cfg(), tmp_path).learn(1)
    env = DummyEnv(16)
    runner = CGRPORunner(env, runner_cfg(), None, "cpu")
    runner.load(str(tmp_path / "model_1.pt"))
    # What the old episodes had returned so far is none of the new ones' return.
    assert not runner.statistics.running_return.any() and not runner.statistics.running_length.any()
    ages = []
    env.fault = lambda step, obs, rewards: ages.append(env.episode_length_buf.clone())
    runner.learn(1, init_at_random_ep_len=True)
    assert runner.current_learning_iteration == 2
    assert len(set(ages[0].tolist())) > 4  # not all of one age, or they would all end together


@pytest.mark.parametrize("load_cfg", [None, {"optimizer": False}])
def test_another_number_of_environments_can_take_over_the_policies(tmp_path, load_cfg):
    first = make(runner_cfg(), tmp_path)
    first.learn(1)
    env = DummyEnv(4)
    second = CGRPORunner(env, runner_cfg(), None, "cpu")
    second.load(str(tmp_path / "model_1.pt"), load_cfg=load_cfg)
    obs = env.get_observations()
    assert torch.equal(second.get_inference_policy("cpu")(obs), first.get_inference_policy("cpu")(obs))
    second.learn(1)


def test_random_initial_ages_at_the_start_only(tmp_path):
    runner = make(folder=tmp_path)
    ages = []
    runner.env.fault = lambda step, obs, rewards: ages.append(runner.env.episode_length_buf.clone())
    runner.learn(1, init_at_random_ep_len=True)
    assert len(set(ages[0].tolist())) > 4
    assert torch.equal(ages[0], torch.where(ages[0] == 0, 0, runner.alg.rollout.episode_steps[0] + 1))
    resumed = make(folder=tmp_path)
    resumed.load(str(tmp_path / "model_1.pt"))
    before = runner.env.episode_length_buf.clone()
    resumed.env.fault = lambda step, obs, rewards: ages.append(resumed.env.episode_length_buf.clone())
    count = len(ages)
    resumed.learn(1, init_at_random_ep_len=True)
    assert torch.equal(ages[count], torch.where(ages[count] == 0, 0, before + 1))


# -- What a run leaves -------------------------------------------------------------------------------------------------


def test_files_of_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(cgrpo_runner, "draw_curves", draw_curves)
    runner = make({**runner_cfg(), "save_interval": 2}, tmp_path)
    runner.learn(5)
    names = {path.name for path in tmp_path.iterdir() if not path.name.startswith("events")}
    assert names == {"model_2.pt", "model_4.pt", "model_5.pt", "model_best.pt", "progress.csv", "curves.png"}
    assert (tmp_path / "curves.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(("interval", "drawings"), [(0.0, 5), (3600.0, 2)])
def test_curves_are_drawn_once_in_a_while_and_at_the_end(tmp_path, monkeypatch, interval, drawings):
    rows = []
    monkeypatch.setattr(cgrpo_runner, "draw_curves", lambda path, picture, title: rows.append(len(table(tmp_path))))
    monkeypatch.setattr(cgrpo_runner, "CURVES_INTERVAL_S", interval)
    make({**runner_cfg(), "save_interval": 1}, tmp_path).learn(5)
    assert len(rows) == drawings and rows[-1] == 5


def test_columns_of_the_table(tmp_path):
    make(folder=tmp_path).learn(2)
    rows = table(tmp_path)
    assert list(rows[0])[:3] == ["iteration", "env_steps", "wall_time_s"]
    expected = {
        *("Train/mean_reward", "Train/mean_episode_length", "Train/success", "Train/distance", "Train/episodes"),
        *("Loss/surrogate", "Loss/clip_fraction", "Loss/learning_rate", "Policy/kl", "Policy/mean_std"),
        *("Advantage/explained_variance", "Group/zero_variance", "Perf/total_fps"),
    }
    assert expected <= set(rows[0])
    assert [row["env_steps"] for row in rows] == ["256", "512"]
    assert all(math.isfinite(float(value)) for row in rows for value in row.values())


def test_tensorboard_has_every_iteration_when_the_run_ends(tmp_path):
    make(folder=tmp_path).learn(3)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [event.step for event in events.Scalars("Train/mean_reward")] == [1, 2, 3]
    # The table has six digits.
    in_table = float(table(tmp_path)[-1]["Train/success"])
    assert events.Scalars("Train/success")[-1].value == pytest.approx(in_table, rel=1e-5)


def test_statistics_equal_those_of_a_plain_count(tmp_path):
    runner = make(folder=tmp_path)
    returns, finished = torch.zeros(16), []
    step = runner.env.step

    def watch(actions):
        nonlocal returns
        answer = step(actions)
        returns = returns + answer[1]
        finished.extend(returns[answer[2].bool()].tolist())
        returns = returns * (1 - answer[2])
        return answer

    runner.env.step = watch
    runner.learn(3)
    assert 16 <= len(finished) < 100  # less than the window: all count
    assert runner.last_metrics["Train/mean_reward"] == pytest.approx(sum(finished) / len(finished), rel=1e-5)


def script_returns(runner, *returns):
    """Let the iterations to come report these returns; None: no episode has ended yet."""
    collect, script = runner.statistics.collect, iter(returns)

    def scripted():
        means, value = collect(), next(script)
        means.pop("return", None)
        return means if value is None else {**means, "return": value}

    runner.statistics.collect = scripted


def best_iteration(folder):
    return torch.load(folder / "model_best.pt", weights_only=True)["iter"]


def test_the_best_checkpoint_is_that_of_the_highest_return(tmp_path):
    runner = make({**runner_cfg(), "save_interval": 1}, tmp_path)
    script_returns(runner, 1.0, 3.0, math.nan, 2.0, None, 3.5)
    best = []
    for _ in range(6):
        runner.learn(1)
        best.append(best_iteration(tmp_path))
    assert best == [1, 2, 2, 2, 2, 6]


def test_a_resumed_run_keeps_the_best_checkpoint_until_a_higher_return(tmp_path):
    runner = make(folder=tmp_path)
    script_returns(runner, 3.0)
    runner.learn(1)
    resumed = make(folder=tmp_path)
    resumed.load(str(tmp_path / "model_1.pt"))
    script_returns(resumed, 2.0, 3.5)
    for best in (1, 3):
        resumed.learn(1)
        assert best_iteration(tmp_path) == best


def test_returns_of_shortened_episodes_are_never_the_best_beside_those_of_whole_ones(tmp_path):
    runner = make({**runner_cfg(), "save_interval": 1}, tmp_path)
    collect, script = runner.statistics.collect, iter([(-1.0, 1.0), (-2.0, 1.0), (-3.0, 0.5), (-9.0, 0.0), (-8.0, 0.0)])
    runner.statistics.collect = lambda: {**collect(), **dict(zip(("return", "shortened"), next(script), strict=True))}
    best = []
    for _ in range(5):
        runner.learn(1)
        best.append(best_iteration(tmp_path))
    assert best == [1, 2, 3, 4, 5]


def test_a_run_that_begins_at_random_ages_tells_which_returns_are_whole(tmp_path):
    # Points that rest do not leave the circle: whole episodes of ten steps end from the eleventh step on.
    env = DummyEnv(16, max_episode_length=10)
    move, env.step = env.step, lambda actions: move(torch.zeros_like(actions))
    make(runner_cfg(num_steps=4), tmp_path, env=env).learn(5, init_at_random_ep_len=True)
    shares = [float(row["Train/shortened"]) for row in table(tmp_path)]
    lengths = [float(row["Train/mean_episode_length"]) for row in table(tmp_path)]
    assert shares[:2] == [1.0, 1.0] and 0.0 <= shares[2] < 1.0 and shares[3:] == [0.0, 0.0]
    assert lengths[0] < 5.0 and lengths[3:] == [10.0, 10.0]


def test_no_best_checkpoint_before_an_episode_has_ended(tmp_path):
    # From the origin, three steps of at most 0.3 in each direction do not leave the circle of radius 1.6.
    env = DummyEnv(16, max_episode_length=10_000)
    env.position.zero_()
    make(runner_cfg(num_steps=3), tmp_path, env=env).learn(1)
    assert (tmp_path / "model_1.pt").exists()
    assert "Train/mean_reward" not in table(tmp_path)[0]
    assert not (tmp_path / "model_best.pt").exists()


def test_times_of_a_run_by_hand(monkeypatch):
    # Every look at the clock takes a second. An iteration has five: when it begins, after 1 s of collecting, twice
    # around the advantages and, after 3 s of learning, at its end.
    monkeypatch.setattr(cgrpo_runner, "time", SimpleNamespace(monotonic=itertools.count().__next__))
    runner, told = make(), []
    monkeypatch.setattr(runner.run_log, "add", lambda *args: told.append((args[3], args[4])))
    runner.learn(3)
    assert [eta for _, eta in told] == [10.0, 5.0, 0.0]
    for i, (metrics, _) in enumerate(told):
        assert metrics["wall_time_s"] == 5.0 * (i + 1)
        assert metrics["Perf/total_fps"] == 256 / 4
        assert metrics["Perf/collection_time"] == metrics["Perf/advantage_time"] == 1.0
        assert metrics["Perf/learning_time"] == 3.0


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make().learn(2)
    assert not list(tmp_path.iterdir())


# -- Interrupts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_run_after_the_iteration_with_a_checkpoint(tmp_path, number):
    runner = make(folder=tmp_path)
    handler = signal.getsignal(number)
    runner.env.fault = lambda step, obs, rewards: signal.raise_signal(number) if step == 20 else None
    runner.learn(10)
    assert runner.interrupted and runner.current_learning_iteration == 2
    assert (tmp_path / "model_2.pt").exists() and len(table(tmp_path)) == 2
    assert signal.getsignal(number) is handler
    resumed = make(folder=tmp_path)
    resumed.load(str(tmp_path / "model_2.pt"))
    resumed.learn(1)
    assert not resumed.interrupted


@pytest.mark.parametrize("before", [signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def test_a_second_ctrl_c_ends_the_run_at_once(tmp_path, before):
    # A shell starts background jobs with SIGINT ignored; afterwards the handler is what it was.
    original = signal.signal(signal.SIGINT, before)
    try:
        runner = make(folder=tmp_path)
        runner.env.fault = lambda step, obs, rewards: signal.raise_signal(signal.SIGINT) if step in (3, 5) else None
        with pytest.raises(KeyboardInterrupt):
            runner.learn(10)
        assert runner.env.steps == 5
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGINT, original)


def test_training_can_go_on_after_an_interrupt():
    runner = make()
    runner.env.fault = lambda step, obs, rewards: signal.raise_signal(signal.SIGINT) if step == 0 else None
    runner.learn(5)
    runner.learn(2)
    assert runner.current_learning_iteration == 3


# -- NaN and Inf -------------------------------------------------------------------------------------------------------


def spoil(what, value=math.nan, at=20):
    """A fault of environment 3 in one step."""

    def fault(step, obs, rewards):
        if step == at:
            target = rewards if what == "reward" else obs[what]
            target[3] = value

    return fault


NAMES = {"policy": ["position.x", "position.y", "age"], "privileged": ["distance", "age"]}


@pytest.mark.parametrize("name", ["cgrpo", "ppo"])
@pytest.mark.parametrize(
    ("what", "culprit"),
    [
        ("policy", "observation position.x of env 3"),
        ("privileged", "observation distance of env 3"),
        ("reward", "reward of env 3"),
    ],
)
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_bad_number_stops_the_run_and_is_named(tmp_path, name, what, culprit, value):
    runner = make({**CONFIGS[name](), "save_interval": 1}, tmp_path, obs_names=NAMES)
    runner.env.fault = spoil(what, value)
    with pytest.raises(NonFiniteError, match=rf"iteration 2: {culprit} \(1 of 16 envs") as error:
        runner.learn(4)
    assert ("on_nonfinite=skip" in str(error.value)) == ("on_nonfinite" in runner.cfg["algorithm"])
    assert sorted(path.name for path in tmp_path.glob("model_*.pt")) == ["model_1.pt", "model_best.pt"]
    make(CONFIGS[name](), tmp_path).load(str(tmp_path / "model_1.pt"))


@pytest.mark.parametrize("what", ["policy", "reward"])
def test_a_bad_rollout_can_be_skipped(tmp_path, caplog, what):
    runner = make(runner_cfg(on_nonfinite="skip", num_policies=2), tmp_path, obs_names=NAMES)
    runner.env.fault = spoil(what)
    runner.learn(1)
    before = {name: tensor.clone() for name, tensor in runner.alg.policy.state_dict().items()}
    with caplog.at_level(logging.WARNING):
        runner.learn(1)
    assert "env 3" in caplog.text and "iteration 2" in caplog.text
    assert all(torch.equal(tensor, before[name]) for name, tensor in runner.alg.policy.state_dict().items())
    runner.learn(2)
    assert not torch.equal(runner.alg.policy.vectors, before["vectors"])
    rows = table(tmp_path)
    assert [row["Loss/skipped_updates"] for row in rows] == ["", "1", "", ""]
    assert all(math.isfinite(float(row["Train/mean_reward"])) for row in rows)


@pytest.mark.parametrize(("name", "part"), [("cgrpo", "policy_state_dict.vectors"), ("ppo", "actor_state_dict.mlp.0")])
def test_bad_parameters_are_named_and_never_saved(tmp_path, name, part):
    runner = make({**CONFIGS[name](), "save_interval": 1}, tmp_path)
    runner.learn(1)
    model = tmp_path / "model_1.pt"
    before = model.read_bytes()
    with torch.no_grad():
        next(p for n, p in state(runner).items() if n.startswith(f".{part}")).fill_(math.nan)
    with pytest.raises(CheckpointError, match=rf"model_1.pt was not written: {part}.* holds NaN"):
        runner.save(str(model))
    assert model.read_bytes() == before
    with pytest.raises(NonFiniteError, match=rf"action 0 of env 0 .*because {part}"):
        runner.learn(1)


# -- Files that cannot be written or read ------------------------------------------------------------------------------


def test_a_full_disk_ends_the_run_and_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    runner = make({**runner_cfg(), "save_interval": 1}, tmp_path)
    runner.learn(1)
    before = (tmp_path / "model_1.pt").read_bytes()

    def full(content, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match="model_2.pt could not be written.*No space left"):
        runner.learn(1)
    assert (tmp_path / "model_1.pt").read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_a_checkpoint_of_another_algorithm_is_refused(tmp_path):
    make(ppo_cfg(), tmp_path / "ppo").learn(1)
    make(runner_cfg(), tmp_path / "cgrpo").learn(1)
    with pytest.raises(ValueError, match="not written by CGRPO"):
        make(runner_cfg()).load(str(tmp_path / "ppo" / "model_1.pt"))
    with pytest.raises(ValueError, match="not written by PPO"):
        make(ppo_cfg()).load(str(tmp_path / "cgrpo" / "model_1.pt"))


def test_a_checkpoint_of_another_size_is_refused(tmp_path):
    make(runner_cfg(), tmp_path).learn(1)
    with pytest.raises(RuntimeError, match="size mismatch"):
        make(runner_cfg(num_policies=2)).load(str(tmp_path / "model_1.pt"))


@pytest.mark.parametrize("name", ["num_steps_per_env", "save_interval"])
@pytest.mark.parametrize("value", [0, -1, 2.5])
def test_bad_settings_of_the_runner(name, value):
    with pytest.raises(ConfigError, match=f"{name}={value}: must be a whole number"):
        make({**runner_cfg(), name: value})


# -- Inside rsl_rl's own runner ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [{}, FULL], ids=["simple", "full"])
def test_works_inside_rsl_rl_s_own_runner(tmp_path, capsys, algorithm):
    torch.manual_seed(0)
    env = DummyEnv(16)
    runner = OnPolicyRunner(env, runner_cfg(**algorithm), str(tmp_path), "cpu")
    runner.learn(2, init_at_random_ep_len=True)
    other = OnPolicyRunner(DummyEnv(16), runner_cfg(seed=8, **algorithm), None, "cpu")
    other.load(str(tmp_path / "model_1.pt"))
    obs = env.get_observations()
    assert torch.equal(runner.get_inference_policy("cpu")(obs), other.get_inference_policy("cpu")(obs))
    ours = make(runner_cfg(seed=9, **algorithm))
    ours.load(str(tmp_path / "model_1.pt"))
    assert_same(runner, ours)
    runner.export_policy_to_jit(str(tmp_path / "exported"))
    action = torch.jit.load(str(tmp_path / "exported" / "policy.pt"))(obs["policy"])
    torch.testing.assert_close(action, runner.get_inference_policy("cpu")(obs))


def test_our_checkpoints_can_be_played_by_rsl_rl_s_own_runner(tmp_path):
    ours = make(runner_cfg(), tmp_path)
    ours.learn(1)
    stock = OnPolicyRunner(DummyEnv(16), runner_cfg(), None, "cpu")
    stock.load(str(tmp_path / "model_1.pt"))
    assert_same(ours, stock)


# -- On a GPU ----------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
def test_the_rollout_does_not_wait_for_the_gpu():
    env = DummyEnv(64, device="cuda")
    runner = CGRPORunner(env, runner_cfg(), None, "cuda")
    runner.learn(1)
    obs = env.get_observations()
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.inference_mode():
            runner._collect(obs)
    finally:
        torch.cuda.set_sync_debug_mode("default")
