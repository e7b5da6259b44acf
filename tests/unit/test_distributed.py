# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Two processes with half of the environments each learn what one process with all of them learns."""

import csv
import os
import time

import pytest
import torch
from dummy_env import ppo_cfg, runner_cfg
from processes import DividedEnv, DividedEnvState, start
from rsl_rl.runners import OnPolicyRunner

from cgrpo_lab import distributed
from cgrpo_lab.runners import CGRPORunner, NonFiniteError
from cgrpo_lab.runners.episode_statistics import EpisodeStatistics

FULL = {
    "num_policies": 2,
    "num_groups": 2,
    "num_mini_batches": 5,
    "adaptive_clip": True,
    "smoothness_coef": 0.05,
    "diversity_coef": 0.05,
    "diversity_threshold": -0.5,
    "reference_size": 1,
    "entropy_coef": 0.01,
    "schedule": "adaptive",
    "estimator_options": {"num_cosines": 16, "bandwidth": 1.0, "ridge": 1e-2},
}
FITTED_IN_PART = {"max_refit_interval": 4}
KMEANS = {"clustering": "kmeans", "clustering_options": {"num_clusters": 6, "max_fit_points": 96}, **FITTED_IN_PART}
DBSCAN = {"clustering_options": {"max_fit_points": 128, "reach": 2.0}, **FITTED_IN_PART}
# With the default ridge, weights of features that hardly differ are free: rounding decides them, at equal values.
VALUE = {"num_cosines": 16, "bandwidth": 1.0, "ridge": 1e-2}
ESTIMATORS = {
    "least_squares": {"estimator_options": VALUE},
    "value_centred": {"estimator": "value_centred", "estimator_options": {"value_options": VALUE, **KMEANS}},
    "time_step": {"estimator": "time_step", "estimator_options": {"max_bins": 9}},
    "state_grid": {
        "estimator": "time_step",
        "estimator_options": {
            "binning": "state_grid",
            "binning_options": {"cell_size": 0.5},
            "min_others": 2,
            "max_bins": 12,
        },
    },
    "episode": {"estimator": "episode", "estimator_options": {"group_size": 4}},
    "dbscan": {"estimator": "state_cluster", "estimator_options": DBSCAN},
    "kmeans": {"estimator": "state_cluster", "estimator_options": KMEANS},
}
CASES = {
    **{f"{name}_{n}": {"num_policies": n, **options} for name, options in ESTIMATORS.items() for n in (1, 2)},
    "policy_features": {"estimator_options": {**VALUE, "policy_features": True, "renew_interval": 2}},
    "learned_metric": {"estimator_options": {**VALUE, "learn_metric": True, "renew_interval": 1}},
    "full": FULL,
    "sharing": {"num_policies": 2, "sharing": "all", "smoothness_coef": 0.05, "estimator_options": VALUE},
    "leader": {"num_policies": 2, "sharing": "leader", "replace_interval": 1, "estimator_options": VALUE},
}


def make(algorithm, folder=None, device="cpu"):
    """Runner of this process; its environments and its seed are those of its rank."""
    torch.manual_seed(distributed.rank())
    if algorithm == "ppo":
        cfg = ppo_cfg()
        cfg["algorithm"]["reward_normalization"] = True
    else:
        # Whole episodes, of ten steps, are what this estimator needs.
        cfg = runner_cfg(num_steps=20 if algorithm.get("estimator") == "episode" else 12, **algorithm)
    cfg["seed"] = 3 + distributed.rank()
    policies = cfg["algorithm"].get("num_policies", 1)
    env = DividedEnv(16, num_policies=policies, max_episode_length=10, device=device)
    return CGRPORunner(env, cfg, folder and str(folder), device, env_state=DividedEnvState(env))


def learned(runner):
    """Everything the runner has learned and measured, by name."""
    timed = ("Perf/", "wall_time")
    metrics = {name: value for name, value in runner.last_metrics.items() if not name.startswith(timed)}
    return flatten("", {"algorithm": runner.alg.save(), "metrics": metrics, "steps": runner.total_steps})


def flatten(prefix, value):
    """Leaves of nested containers by their path."""
    if isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {path: leaf for name, part in items for path, leaf in flatten(f"{prefix}.{name}", part).items()}
    return {prefix: value}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        same = torch.equal(value, second[name]) if isinstance(value, torch.Tensor) else value == second[name]
        assert same, name


# -- The same update ---------------------------------------------------------------------------------------------------


def train(algorithm, device="cpu"):
    runner = make(algorithm, device=device)
    runner.learn(2)
    return learned(runner)


def train_all(names=tuple(CASES), device="cpu"):
    return {name: train(CASES[name], device) for name in names}


AMPLIFIED = ".metrics.Loss/gradient_norm"
"""The diversity penalty divides by how little two policies differ; rounding shows here first."""


def assert_close(divided, whole, tolerance):
    assert divided.keys() == whole.keys()
    for path, value in whole.items():
        if isinstance(value, str):
            assert divided[path] == value, path
        else:
            rtol = (50 if path == AMPLIFIED else 5) * tolerance
            torch.testing.assert_close(
                divided[path], value, rtol=rtol, atol=tolerance, msg=lambda m, p=path: f"{p}: {m}"
            )


@pytest.fixture(scope="module")
def divided(tmp_path_factory):
    """What each of two processes learned in every case."""
    return start(train_all, tmp_path_factory.mktemp("divided"))


@pytest.mark.parametrize("name", CASES)
def test_two_processes_learn_what_one_with_all_environments_learns(name, divided):
    assert_same(divided[0][name], divided[1][name])
    whole = train(CASES[name])
    assert whole.get(".metrics.Advantage/judged_share", 1.0) > 0.1
    assert_close(divided[0][name], whole, tolerance=1e-4)


def train_ppo(device="cpu"):
    runner = make("ppo", device=device)
    before = torch.cat([p.flatten() for p in runner.alg.actor.parameters()]).detach()
    runner.learn(2)
    return {
        "actor": runner.alg.actor.state_dict(),
        "critic": runner.alg.critic.state_dict(),
        "rate": runner.alg.learning_rate,
        "before": before,
    }


def test_ppo_learns_in_two_processes(tmp_path):
    first, second = start(train_ppo, tmp_path)
    assert not torch.equal(first.pop("before"), second.pop("before"))
    assert_same(flatten("", first), flatten("", second))
    assert first["actor"]["obs_normalizer.count"] == 2 * 16 * 16


class StockRunner(OnPolicyRunner):
    """rsl_rl's own loop, as Isaac Lab's command runs it, without its insistence on CUDA."""

    _configure_multi_gpu = CGRPORunner._configure_multi_gpu


def train_in_rsl_rls_runner(folder):
    runner = StockRunner(DividedEnv(16), {**runner_cfg(seed=3 + distributed.rank()), "save_interval": 1}, str(folder))
    runner.learn(2)
    return flatten("", runner.alg.save())


def test_rsl_rls_runner_trains_in_two_processes(tmp_path):
    first, second = start(train_in_rsl_rls_runner, tmp_path, tmp_path)
    assert_same(first, second)
    assert sorted(path.name for path in tmp_path.glob("model_*.pt")) == ["model_0.pt", "model_1.pt"]


# -- One run, one folder -----------------------------------------------------------------------------------------------


def train_in_parts(folder, algorithm):
    """A run of three iterations, and one that is stopped after two and goes on."""
    whole = make(algorithm, folder / "whole")
    whole.learn(3)
    make(algorithm, folder / "parts").learn(2)
    torch.rand(5)  # whatever else happens in between
    again = make(algorithm, folder / "parts")
    again.load(str(folder / "parts" / "model_2.pt"))
    again.learn(1)
    return learned(whole), learned(again)


@pytest.mark.parametrize("algorithm", [FULL, "ppo"], ids=["cgrpo", "ppo"])
def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(algorithm, tmp_path):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    for whole, again in start(train_in_parts, tmp_path, tmp_path, algorithm):
        assert_same(whole, again)


def train_together(folder):
    make(FULL, folder).learn(3)


def test_one_folder_that_one_process_can_go_on_from(tmp_path, caplog):
    (tmp_path / "run").mkdir()
    start(train_together, tmp_path, tmp_path / "run")
    with (tmp_path / "run" / "progress.csv").open(newline="") as file:
        assert [int(row["env_steps"]) for row in csv.DictReader(file)] == [192, 384, 576]
    assert len(list((tmp_path / "run").glob("events*"))) == 1

    alone = make(FULL)
    alone.load(str(tmp_path / "run" / "model_3.pt"))
    alone.learn(1)
    assert alone.current_learning_iteration == 4 and alone.total_steps == 4 * 192
    assert "2 processes" in caplog.text


# -- What happens to one happens to all --------------------------------------------------------------------------------


def train_with_a_fault(on_nonfinite):
    runner = make({"on_nonfinite": on_nonfinite})
    if distributed.rank() == 1:
        runner.env.fault = lambda step, obs, rewards: obs["policy"][3].fill_(float("nan")) if step == 2 else None
    try:
        runner.learn(2)
    except NonFiniteError as error:
        return str(error)
    return learned(runner)


def test_nan_in_one_process_stops_all(tmp_path):
    first, second = start(train_with_a_fault, tmp_path, "stop")
    assert (
        first == second
        and "iteration 1: observation policy[0] of env 3 (1 of 8 envs are affected) in process 1" in first
    )


def test_nan_in_one_process_skips_the_update_of_all(tmp_path):
    first, second = start(train_with_a_fault, tmp_path, "skip")
    assert_same(first, second)
    assert first[".algorithm.policy_state_dict.obs_normalizer.count"] == 192


def train_until_interrupted():
    runner = make({})
    if distributed.rank() == 1:
        runner.env.fault = lambda step, obs, rewards: setattr(runner.interrupt, "requested", step >= 30)
    runner.learn(9)
    return runner.current_learning_iteration


def test_an_interrupt_of_one_process_ends_the_run_of_all(tmp_path):
    assert start(train_until_interrupted, tmp_path) == [3, 3]


def train_without_the_other(how):
    runner = make({})
    if distributed.rank() == 1:
        runner.env.fault = lambda step, obs, rewards: (
            (os._exit(0) if how == "ends" else time.sleep(6)) if step == 20 else None
        )
    began = time.monotonic()
    try:
        runner.learn(3)
    except distributed.PeerError as error:
        return str(error), time.monotonic() - began
    return None


@pytest.mark.parametrize("how", ["ends", "hangs"])
def test_a_lost_process_ends_the_others_with_a_clear_message(how, tmp_path):
    message, seconds = start(train_without_the_other, tmp_path, how, timeout_s=3.0, answers=1)[0]
    assert "another process of this job has ended or does not answer" in message and "--resume" in message
    assert seconds < 10.0


# -- Parts -------------------------------------------------------------------------------------------------------------


def use_parts():
    here = distributed.rank() + 10 * torch.arange(4)  # blocks of 2 samples: 0 and 10, 20 and 30
    joint = distributed.fetch(here, torch.arange(12), block=2)
    ragged = distributed.concatenate(torch.full((distributed.rank(),), float(distributed.rank())))
    value = torch.tensor(float(distributed.rank()), requires_grad=True)
    mean = distributed.joint_mean(value)
    mean.backward()
    return joint, ragged, distributed.own_part(torch.arange(6), dim=0), mean.item(), value.grad.item()


def collect_statistics():
    statistics = EpisodeStatistics(2, "cpu")
    rank = distributed.rank()
    dones = torch.tensor([True, rank == 1])
    # One process has an outcome that the other never sees, and logs twice as often.
    extras = {"outcome": {"success": torch.tensor([True, False])}} if rank == 0 else {}
    for step in range(1 + rank):
        finished = dones & (step == 0)
        statistics.add_step(
            torch.ones(2) * (1 + rank), finished, {**extras, "log": {"Episode/x": torch.tensor(3.0 * step)}}
        )
    return statistics.collect()


def test_episodes_of_all_processes_count(tmp_path):
    first, second = start(collect_statistics, tmp_path)
    assert first == second
    assert first == {
        "episodes": 3.0,
        "return": pytest.approx((1.0 + 2.0 + 2.0) / 3.0),
        "length": 1.0,
        "success": pytest.approx(1.0 / 3.0),
        "Episode/x": 1.0,
    }


def test_joint_numbers_and_parts_of_three_processes(tmp_path):
    for rank, (joint, ragged, part, mean, gradient) in enumerate(start(use_parts, tmp_path, processes=3)):
        assert joint.tolist() == [0, 10, 1, 11, 2, 12, 20, 30, 21, 31, 22, 32]
        assert ragged.tolist() == [1.0, 2.0, 2.0]
        assert part.tolist() == [2 * rank, 2 * rank + 1]
        assert (mean, gradient) == (1.0, 1.0)


def test_alone_nothing_is_exchanged():
    values = torch.arange(3.0)
    assert not distributed.is_active() and distributed.is_main() and distributed.world_size() == 1
    assert distributed.all_sum(values) is values and distributed.all_mean(values) is values
    assert distributed.concatenate(values) is values and distributed.own_part(values, dim=0) is values
    assert distributed.fetch(values, torch.tensor([2, 0]), block=2).tolist() == [2.0, 0.0]
    assert distributed.gather("word") == ["word"] and not distributed.any_of(False)


def test_an_error_of_ones_own_stays_what_it_is():
    with pytest.raises(RuntimeError, match="^a defect$"), distributed.explained():
        raise RuntimeError("a defect")


# -- On a GPU ----------------------------------------------------------------------------------------------------------

ON_GPU = ("least_squares_1", "least_squares_2", "time_step_2", "episode_1", "sharing")
"""Cases that need no cuML."""


@pytest.mark.gpu
@pytest.mark.parametrize(("backend", "processes"), [("nccl", 1), ("gloo", 2)])
def test_processes_on_a_gpu_learn_what_one_without_a_group_learns(backend, processes, tmp_path):
    answers = start(train_all, tmp_path, ON_GPU, "cuda:0", processes=processes, backend=backend)
    for name in ON_GPU:
        for answer in answers[1:]:
            assert_close(answer[name], answers[0][name], tolerance=1e-6)
        # Sums of float32 in another order, which Adam's first steps magnify.
        assert_close(answers[0][name], train(CASES[name], "cuda:0"), tolerance=2e-4)


@pytest.mark.gpu
def test_ppo_learns_through_nccl(tmp_path):
    (answer,) = start(train_ppo, tmp_path, "cuda:0", processes=1, backend="nccl")
    assert answer["actor"]["obs_normalizer.count"] == 2 * 16 * 16
