# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Sweeps with a stand-in for ``scripts/train.py``: search, pruning, failures, kills, and the surface in the report."""

import csv
import html
import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from kills import kill_when
from optuna import Study
from optuna.distributions import CategoricalDistribution, FloatDistribution

from isaaclab_tasks.utils.hydra import _parse_val

from cgrpo_app.errors import UserError
from cgrpo_app.sweep import search
from cgrpo_app.sweep.command import _parse, main, open_study
from cgrpo_app.sweep.figures import surface
from cgrpo_app.sweep.report import pareto_front
from cgrpo_app.sweep.space import BUILT_IN, OPTIONS, Space, parse_space

FAKE_SCRIPTS = Path(__file__).parent / "fake_scripts"
CLIP, POLICIES = "agent.algorithm.clip_param", "agent.algorithm.num_policies"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    """Look often at trainings that take a third of a second."""
    monkeypatch.setattr(search, "POLL_S", 0.02)


@pytest.fixture
def trainings(monkeypatch) -> list:
    """Commands that a sweep starts."""
    commands, start = [], search.start

    def start_and_note(command, *others):
        commands.append(command)
        return start(command, *others)

    monkeypatch.setattr(search, "start", start_and_note)
    return commands


def enqueue(out: Path, choices: list[dict]) -> Study:
    """A new study in a folder, with choices in its queue."""
    out.mkdir()
    study = open_study(out)
    for choice in choices:
        search.enqueue(study, choice)
    return study


def sweep(out: Path, *options: str, agent="cgrpo") -> dict:
    """Run a sweep in this process and return its results."""
    main(
        ["--task", "HalfCheetah-CGRPO", "--agent", agent, "--steps", "1000", "--device", "cpu", "--jobs", "4", "--out",
         str(out), *options],
        FAKE_SCRIPTS,
    )  # fmt: skip
    return json.loads((out / "results.json").read_text())


def training(folder: Path, returns: list[float]) -> SimpleNamespace:
    """A training with this learning curve."""
    folder.mkdir()
    rows = [f"{i},{100 * i},{i},{value}" for i, value in enumerate(returns, start=1)]
    (folder / "progress.csv").write_text("\n".join(["iteration,env_steps,wall_time_s,Train/mean_reward", *rows, ""]))
    return SimpleNamespace(training_folder=folder, any_training_folder=folder)


class TestSearch:
    def test_a_grid_tries_all_and_names_the_best(self, tmp_path):
        """The fake trainer likes 0.2 best and refuses 0.4."""
        out = tmp_path / "out"
        content = sweep(out, "--grid", "--search", "clip_param=0.1,0.2,0.3,0.4", "num_policies=1,2")
        assert len(content["trials"]) == 8
        assert content["best"]["params"][CLIP] == 0.2
        failed = [row for row in content["trials"] if row["state"] == "failed"]
        assert {row["params"][CLIP] for row in failed} == {0.4} and failed[0][
            "error"
        ] == "clip_param=0.4: is too large."
        assert content["importances"][CLIP] > 0.9
        rows = list(csv.DictReader((out / "results.csv").open()))
        assert len(rows) == 8 and {row["state"] for row in rows} >= {"finished", "failed"}
        assert list(rows[0]) == ["number", "state", "return", "std", "std_between_runs", "error", CLIP, POLICIES]
        page = (out / "report.html").read_text()
        finished = [row for row in content["trials"] if row["state"] == "finished"]
        shown = [int(number) for number in re.findall(r"<tr><td>(\d+)", page)]
        best_first = sorted(finished, key=lambda row: row["return"], reverse=True)
        assert shown[: len(finished)] == [row["number"] for row in best_first]
        assert "clip_param=0.4: is too large." in page and "http" not in page.replace("http://www.w3.org", "")

    def test_the_command_of_the_best_is_the_one_that_was_run(self, tmp_path, trainings):
        """With what all trials have in common, and for a shell: its parts hold spaces and quotes."""
        out = tmp_path / "out"
        search_ = ("--search", "clip_param=0.2,0.3", "estimator_options.lam=0.9,0.95")
        content = sweep(out, "--trials", "1", "--num_envs", "8", "env=v5", *search_)
        (command,) = trainings
        assert command[2] == "--log_root" and {"env=v5", "--num_envs", "--steps", "--device"} < set(command)
        assert shlex.split(content["best"]["command"]) == ["python", "scripts/train.py", *command[4:]]
        assert content["best"]["command"] in html.unescape((out / "report.html").read_text())

    def test_performance_and_stability_are_those_of_the_last_tenth(self, tmp_path):
        """The last tenth of ten iterations is the last one; two seeds differ."""
        content = sweep(tmp_path / "out", "--trials", "1", "--seeds", "2", "--search", "clip_param=0.2,0.3")
        (trial,) = content["trials"]
        tables = (tmp_path / "out").rglob("progress.csv")
        ends = [float(list(csv.DictReader(table.open()))[-1]["Train/mean_reward"]) for table in tables]
        assert trial["return"] == pytest.approx(np.mean(ends))
        assert trial["std_between_runs"] == pytest.approx(np.std(ends, ddof=1)) and trial["std"] == 0.0

    def test_a_trial_is_judged_by_the_mean_of_its_seeds(self, tmp_path):
        """Of 20 points the last two count: 10 and 14 of one seed, with a variance of 8, and 20 twice of the other."""
        runs = tuple(training(tmp_path / str(end), [0.0] * 18 + end) for end in ([10.0, 14.0], [20.0, 20.0]))
        value, spreads = search.judge(runs)
        assert value == 16.0
        assert spreads == pytest.approx({"std_within_runs": 8**0.5 / 2, "std_between_runs": 32**0.5})

    def test_reports_of_the_second_seed_follow_those_of_the_first(self, tmp_path):
        """Three tenths of the second training are done, after the ten of the first."""
        first, second = training(tmp_path / "1", [1.0, 2.0]), training(tmp_path / "2", [3.0, 4.0])
        first.training_step, second.training_step, second.progress = lambda: None, lambda: "train", lambda: 0.35
        trial = Mock(**{"should_prune.return_value": False})
        worker = search._Worker([0], trial, runs=(first, second), reported=10)
        search.Search(*[None] * 6)._report(worker)
        trial.report.assert_called_once_with(4.0, 13)

    def test_poor_trials_are_pruned(self, tmp_path):
        """Six good trials in turn, then bad ones, which are below the median from the start."""
        out, good = tmp_path / "out", ",".join(["0.2", "0.21", "0.19", "0.22", "0.18", "0.23"])
        content = sweep(out, "--grid", "--jobs", "1", "--search", f"clip_param={good},0.35,0.36")
        states = {row["params"][CLIP]: row["state"] for row in content["trials"]}
        assert states[0.35] == states[0.36] == "pruned"
        assert states[0.2] == "finished"

    def test_combinations_that_are_made_equal_are_tried_once(self, tmp_path):
        """One policy cannot be in two groups, so of two by two three are left."""
        content = sweep(tmp_path / "out", "--grid", "--search", "num_policies=1,2", "num_groups=1,2")
        assert len(content["trials"]) == len({str(row["overrides"]) for row in content["trials"]}) == 3

    def test_a_configuration_that_is_under_way_is_waited_for(self, tmp_path, trainings):
        """Four places for twice the same: each is trained once, and both trials get its return."""
        out, search_ = tmp_path / "out", ("--search", "clip_param=0.2,0.25")
        enqueue(out, [{CLIP: clip} for clip in (0.2, 0.2, 0.25, 0.25)])
        rows = sweep(out, "--trials", "4", *search_)["trials"]
        assert len(trainings) == 2 and {row["state"] for row in rows} == {"finished"}
        assert rows[0]["return"] == rows[1]["return"] != rows[2]["return"] == rows[3]["return"]

    def test_a_pruned_configuration_is_not_trained_again(self, tmp_path, trainings):
        out, good = tmp_path / "out", [0.2, 0.21, 0.19, 0.22, 0.18, 0.23]
        enqueue(out, [{CLIP: clip} for clip in (*good, 0.35, 0.35)])
        values = ",".join(map(str, (*good, 0.35)))
        rows = sweep(out, "--trials", "8", "--jobs", "1", "--search", f"clip_param={values}")["trials"]
        assert [row["state"] for row in rows[6:]] == ["pruned", "pruned"] and len(trainings) == 7

    def test_a_killed_sweep_goes_on(self, tmp_path):
        """``kill -9`` in the middle of trials: the next call tries the same ones, and no configuration is lost."""
        out = tmp_path / "out"
        options = ("--grid", "--search", "clip_param=0.1,0.15,0.2,0.25,0.3", "num_policies=1,2")
        for name in ("model_2.pt", "report.json", "model_8.pt"):
            before = set(out.rglob(name))
            kill_when(lambda name=name, before=before: set(out.rglob(name)) > before, sweep, out, *options)
        content = sweep(out, *options)
        tried = {(row["params"][CLIP], row["params"][POLICIES]) for row in content["trials"]}
        assert len(tried) == 10 and content["best"]["params"][CLIP] == 0.2
        assert all(row["state"] in ("finished", "pruned") for row in content["trials"])

    def test_a_kill_while_optuna_is_asked_loses_no_choice(self, tmp_path):
        """``ask()`` takes a trial from the queue first and gives it its values one by one."""
        out = tmp_path / "out"
        choices = [{CLIP: clip, POLICIES: policies} for clip in (0.15, 0.2) for policies in (1, 2)]
        study = enqueue(out, choices)
        study.ask()
        study.ask({CLIP: CategoricalDistribution([0.15, 0.2])})
        content = sweep(out, "--grid", "--search", "clip_param=0.15,0.2", "num_policies=1,2")
        tried = [row["params"] for row in content["trials"]]
        assert sorted(tried, key=str) == sorted(choices, key=str)

    def test_a_kill_during_recovery_repeats_no_choice(self, tmp_path, monkeypatch):
        """One of two interrupted trials is in the queue again, but is not closed yet, when the next kill comes."""
        out, options = tmp_path / "out", ("--grid", "--search", "clip_param=0.15,0.2,0.25")
        choices = [{CLIP: clip} for clip in (0.15, 0.2, 0.25)]
        study = enqueue(out, choices)
        for _ in range(2):
            study.ask({CLIP: CategoricalDistribution([0.15, 0.2, 0.25])})
        with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
            killed.setattr(Study, "tell", Mock(side_effect=KeyboardInterrupt))
            sweep(out, *options)
        tried = [row["params"] for row in sweep(out, *options)["trials"]]
        assert sorted(tried, key=str) == sorted(choices, key=str)

    def test_more_trials_can_be_added_but_no_other_conditions(self, tmp_path):
        out = tmp_path / "out"
        assert len(sweep(out, "--trials", "2")["trials"]) == 2
        content = sweep(out, "--trials", "4")
        assert len({str(row["params"]) for row in content["trials"]}) == 4, "drawn anew, not again"
        with pytest.raises(UserError, match="holds trials with seeds=\\[1\\], not \\[1, 2\\]"):
            sweep(out, "--trials", "5", "--seeds", "2")


class TestSpace:
    @pytest.mark.parametrize("other", [[], ["learning_rate=1e-4:1e-3:log"]])
    def test_whole_keys_are_searched(self, other):
        """Keys of the environment, and those of the agent written out, are no overrides of all trials."""
        items = [f"{CLIP}=0.1:0.3", "env.episode_length_s=3,6", *other]
        args, overrides = _parse(["env=v5", "--search", *items, "--out", "out", "physics=mujoco"])
        space = parse_space(args.agent, args.search).parameters
        assert list(space)[:2] == [CLIP, "env.episode_length_s"] and len(space) == 2 + len(other)
        assert overrides == ["env=v5", "physics=mujoco"]

    def test_choices_are_made_valid(self):
        space = Space(BUILT_IN["cgrpo-full"])
        choice = {
            "agent.algorithm.num_policies": 1,
            "agent.algorithm.num_groups": 4,
            "agent.algorithm.diversity_coef": 0.1,
        }
        assert space.overrides(choice) == [
            "agent.algorithm.num_policies=1", "agent.algorithm.num_groups=1", "agent.algorithm.diversity_coef=0.0",
        ]  # fmt: skip

    def test_options_of_the_estimator_are_one_dictionary_that_isaac_lab_can_read(self):
        choice = {f"{OPTIONS}.clustering_options.min_samples": 5, f"{OPTIONS}.clustering_options.eps_quantile": 1 / 3}
        (override,) = Space({}).overrides(choice)
        key, text = override.split("=", 1)
        assert key == OPTIONS
        assert _parse_val(text) == {"clustering_options": {"min_samples": 5, "eps_quantile": 0.333333}}

    def test_true_false_and_none_reach_the_options_of_the_estimator(self):
        items = [f"estimator_options.{item}" for item in ("learn_metric=true,False", "seed=none,3", "kind=a,b")]
        read = [
            _parse_val(Space({}).overrides(choice)[0].split("=", 1)[1]) for choice in parse_space("x", items).grid()
        ]
        assert read[0] == {"learn_metric": True, "seed": None, "kind": "a"}
        assert read[-1] == {"learn_metric": False, "seed": 3, "kind": "b"}

    def test_search_items(self):
        space = parse_space("ppo", ["clip_param=0.1:0.4", "learning_rate=1e-4:1e-2:log", "agent.x=2,4", "n=1:9"])
        assert space.parameters[CLIP] == FloatDistribution(0.1, 0.4)
        assert space.parameters["agent.algorithm.learning_rate"] == FloatDistribution(1e-4, 1e-2, log=True)
        assert space.parameters["agent.x"] == CategoricalDistribution([2, 4])
        grid = [choice["agent.algorithm.learning_rate"] for choice in space.grid()]
        assert sorted(set(grid)) == pytest.approx([1e-4, 1e-3, 1e-2]) and len(grid) == 3 * 3 * 2 * 3

    @pytest.mark.parametrize(
        "item", ["clip_param", "clip_param=0.1", "env=v5", "clip_param=0.4:0.1", "clip_param=a:b", "x=1:2:lin"]
    )
    def test_mistakes_are_named(self, item):
        with pytest.raises(UserError, match=f"--search {item}: give KEY=a,b,c"):
            parse_space("cgrpo", [item])

    @pytest.mark.parametrize("options", [["--search", "clip_parm=0.1,0.2"], ["agent.algorithm.clip_parm=0.1"]])
    def test_a_misspelt_setting_shows_before_the_first_trial(self, options, tmp_path):
        with pytest.raises(UserError, match="no setting 'clip_parm'; the nearest are clip_param"):
            sweep(tmp_path / "out", *options)
        assert not (tmp_path / "out").exists()

    def test_policies_of_grpo_have_whole_start_groups(self):
        """Eight environments each, of the sixteen that a locomotion task has on a CPU."""
        assert max(parse_space("grpo", []).parameters[POLICIES].choices) == 2

    def test_an_agent_without_a_space_needs_one(self):
        with pytest.raises(UserError, match="--agent ppo: has no built-in space"):
            parse_space("ppo", [])


class TestSurface:
    def test_cells_hold_the_means_of_their_trials(self):
        parameters = {"a": CategoricalDistribution([1, 2]), "b": FloatDistribution(0.0, 1.0)}
        points = [(1, 0.05, 10.0), (1, 0.15, 20.0), (2, 1.0, 7.0)]
        rows = [{"params": {"a": a, "b": b}, "return": value} for a, b, value in points]
        cells = surface(rows, ("a", "b"), parameters, "return")
        assert cells.labels == (["1", "2"], ["0.1", "0.3", "0.5", "0.7", "0.9"])
        assert cells.values[0, 0] == 15.0 and cells.values[1, 4] == 7.0
        assert np.isnan(cells.values).sum() == 8

    def test_front_holds_what_nothing_beats(self):
        figures = [(10.0, 3.0), (8.0, 1.0), (9.0, 3.0), (8.0, 2.0)]
        rows = [{"number": i, "return": value, "std": std} for i, (value, std) in enumerate(figures)]
        assert pareto_front(rows) == [0, 1]
