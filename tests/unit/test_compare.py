# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Comparisons with stand-ins for the real commands: failures, kills, resuming, and what the report says about them."""

import csv
import json
import shlex
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from kills import kill_when

from cgrpo_app import extras
from cgrpo_app.compare import processes, statistics
from cgrpo_app.compare.command import main
from cgrpo_app.compare.processes import locked
from cgrpo_app.compare.records import read_curve
from cgrpo_app.compare.runs import Run
from cgrpo_app.compare.settings import Settings, command_of, seeds_option
from cgrpo_app.compare.text import findings
from cgrpo_app.compare.training_job import steps_done
from cgrpo_app.errors import UserError
from cgrpo_app.extras import require_extra
from cgrpo_app.parsers import parse_seeds

FAKE_SCRIPTS = Path(__file__).parent / "fake_scripts"
CHEETAH, FRANKA = "HalfCheetah-CGRPO", "Franka-Reach-CGRPO"
CLIP = "agent.algorithm.clip_param"
REPORT = ("results.json", "results.csv", "report.html", "report.md")


def compare(out: Path, *options: str, agents=("cgrpo", "ppo"), tasks=(CHEETAH, FRANKA), seeds="2", jobs="4") -> Path:
    """Run a small comparison in this process."""
    main(
        ["--tasks", *tasks, "--agents", *agents, "--seeds", seeds, "--steps", "1000", "--device", "cpu", "--jobs", jobs,
         "--out", str(out), *options],
        FAKE_SCRIPTS,
    )  # fmt: skip
    return out


def results(out: Path) -> dict:
    """``results.json``, which must hold nothing that is no JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads((out / "results.json").read_text(), parse_constant=refuse)


def starts(out: Path) -> int:
    """How many processes have been started: their logs are opened for each, and fake trainings name their folder."""
    return sum(log.stat().st_mtime_ns for log in out.rglob("*.log"))


@pytest.fixture(scope="module", autouse=True)
def _few_repetitions():
    """Intervals need not be fine here, and reports are written some thirty times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "REPETITIONS", 100)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A comparison with a failed run that nobody interrupted."""
    return compare(tmp_path_factory.mktemp("whole") / "out", agents=("cgrpo", "ppo", "grpo"))


class TestKills:
    def test_ten_kills_leave_no_trace_in_the_report(self, whole, tmp_path):
        """``kill -9`` between all steps of runs; the eleventh call finishes, with the files of an uninterrupted one."""
        out, agents = tmp_path / "out", ("cgrpo", "ppo", "grpo")
        results_of_steps = ("report.json", "evaluation.json", "generalisation.json")
        for name in ("random.json", "model_2.pt", "model_8.pt", *results_of_steps, "model_4.pt", *results_of_steps):
            before = set(out.rglob(name))
            kill_when(
                lambda name=name, before=before: set(out.rglob(name)) > before, compare, out, agents=agents, jobs="2"
            )
        compare(out, agents=agents)
        for name in REPORT:
            assert (out / name).read_text() == (whole / name).read_text(), name

    def test_no_process_outlives_a_kill(self, tmp_path, monkeypatch):
        """The lock, which every started process holds, is free long before the trainings would have ended."""
        monkeypatch.setenv("FAKE_PAUSE_S", "30")
        out = tmp_path / "out"
        kill_when(lambda: any(out.glob("runs/*/*/*/rsl_rl/fake/*")), compare, out)
        with locked(out):
            assert not list(out.rglob("launch.json")), "which comes after the first pause"

    def test_a_training_that_is_killed_alone_goes_on(self, tmp_path):
        content = results(compare(tmp_path / "out", agents=("td3",), tasks=(CHEETAH,)))
        assert [row["state"] for row in content["runs"]] == ["finished", "finished"]

    def test_one_that_gets_further_before_each_kill_goes_on(self, tmp_path):
        """Killed four times, two iterations apart: three in one place would be its end."""
        (row,) = results(compare(tmp_path / "out", agents=("gpg",), tasks=(CHEETAH,), seeds="1"))["runs"]
        assert row["state"] == "finished"

    def test_one_that_never_gets_further_fails(self, tmp_path):
        content = results(compare(tmp_path / "out", agents=("trpo",), tasks=(CHEETAH,), seeds="1"))
        (row,) = content["runs"]
        assert row["state"] == "failed" and "killed by signal 9, 3 times" in row["error"]

    @pytest.mark.parametrize("name", ["report.json", "evaluation.json", "generalisation.json"])
    def test_damaged_result_is_made_again(self, name, tmp_path, caplog):
        out = compare(tmp_path / "out", agents=("cgrpo",), tasks=(CHEETAH,), seeds="1")
        file = next(out.rglob(name))
        before = file.read_text()
        file.write_text(before[:40])
        compare(out, agents=("cgrpo",), tasks=(CHEETAH,), seeds="1")
        assert file.read_text() == before and "is damaged and is made again" in caplog.text
        assert not list(out.rglob("failure.json"))


class TestWhatIsRun:
    def test_finished_and_failed_runs_are_not_repeated(self, whole):
        before = starts(whole)
        compare(whole, agents=("cgrpo", "ppo", "grpo"))
        assert starts(whole) == before

    def test_agents_can_be_added(self, tmp_path):
        out = compare(tmp_path / "out", agents=("cgrpo",), tasks=(CHEETAH,), seeds="1")
        before = starts(out)
        compare(out, agents=("ppo",), tasks=(CHEETAH,), seeds="1")
        assert [row["agent"] for row in results(out)["runs"]] == ["cgrpo", "ppo"] and starts(out) > before

    def test_tasks_may_have_budgets_of_their_own(self, tmp_path):
        out = compare(tmp_path / "out", "--steps", "2000", f"{CHEETAH}=3e3", agents=("ppo",), seeds="1")
        content = results(out)
        assert content["settings"]["steps"] == {CHEETAH: 3000, FRANKA: 2000}
        for row in content["runs"]:
            assert f"--steps {content['settings']['steps'][row['task']]} " in row["command"]
        assert f"--steps 3000 {FRANKA}=2000" in content["command"]
        assert "2k to 3k env steps a run" in (out / "report.md").read_text()

    def test_a_task_that_is_added_brings_its_steps(self, tmp_path):
        out = compare(tmp_path / "out", agents=("ppo",), tasks=(CHEETAH,), seeds="1")
        compare(out, "--steps", "500", agents=("ppo",), tasks=(FRANKA,), seeds="1")
        assert results(out)["settings"]["steps"] == {CHEETAH: 1000, FRANKA: 500}
        with pytest.raises(UserError, match=f"holds runs with steps=1000 {FRANKA}=500, not 700"):
            compare(out, "--steps", "700", agents=("ppo",), tasks=(FRANKA,), seeds="1")

    def test_one_number_for_all_tasks_in_an_older_folder(self, tmp_path):
        out = compare(tmp_path / "out", agents=("ppo",), seeds="1")
        before, content = starts(out), json.loads((out / "comparison.json").read_text())
        (out / "comparison.json").write_text(json.dumps({**content, "steps": 1000}))
        compare(out, agents=("ppo",), seeds="1")
        assert starts(out) == before and results(out)["settings"]["steps"] == {CHEETAH: 1000, FRANKA: 1000}

    def test_overrides_may_follow_the_agents(self, tmp_path):
        options = ["--tasks", CHEETAH, "--seeds", "1", "--device", "cpu", "--out", str(tmp_path / "out")]
        main([*options, "--agents", "ppo", f"{CLIP}=0.1", "env=v5"], FAKE_SCRIPTS)
        (launch,) = (tmp_path / "out").rglob("launch.json")
        assert json.loads(launch.read_text())["overrides"] == [f"{CLIP}=0.1", "env=v5"]

    def test_commands_of_the_report_can_be_pasted(self, tmp_path):
        override = 'agent.algorithm.estimator_options={"lam": 0.9}'
        settings = Settings((CHEETAH,), ("cgrpo",), (1,), {CHEETAH: 1000}, "cpu", overrides=(override,))
        command = command_of(settings, ["best"], tmp_path / "my runs")
        assert shlex.split(command)[-3:] == ["--out", "my runs", override]
        run = Run(settings, CHEETAH, "cgrpo", 1, tmp_path, FAKE_SCRIPTS)
        assert shlex.split(run.command_for_people())[-3:] == ["--device", "cpu", override]

    def test_other_conditions_need_another_folder(self, whole):
        with pytest.raises(UserError, match="holds runs with episodes=100, not 7"):
            compare(whole, "--episodes", "7", agents=("cgrpo",))

    def test_failed_runs_are_repeated_on_request(self, tmp_path):
        out = compare(tmp_path / "out", agents=("grpo",), tasks=(CHEETAH,), seeds="2,")
        before = starts(out)
        compare(out, "--retry_failed", agents=("grpo",), tasks=(CHEETAH,), seeds="2,")
        assert starts(out) > before and results(out)["runs"][0]["state"] == "failed"

    def test_two_calls_cannot_share_a_folder(self, tmp_path, monkeypatch):
        monkeypatch.setattr(processes, "LOCK_PATIENCE_S", 0.1)
        with locked(tmp_path / "out"), pytest.raises(UserError, match="another call works there"):
            compare(tmp_path / "out")

    def test_runs_in_one_place_and_the_report_in_another(self, whole, tmp_path):
        """One after the other and moved before the report: the same seeds give the same files."""
        out = compare(tmp_path / "there" / "out", "--runs_only", agents=("cgrpo", "ppo", "grpo"), jobs="1")
        assert not (out / "report.html").exists()
        shutil.move(out, tmp_path / "out")
        main(["--report_only", "--out", str(tmp_path / "out")], FAKE_SCRIPTS)
        assert all((tmp_path / "out" / name).read_bytes() == (whole / name).read_bytes() for name in REPORT)


class TestReport:
    def test_a_failed_run_is_shown_and_counts_as_random_actions(self, whole):
        content = results(whole)
        failed = [row for row in content["runs"] if row["state"] == "failed"]
        assert {(row["agent"], row["seed"]) for row in failed} == {("grpo", 2)} and len(failed) == 2
        assert failed[0]["error"] == "train: NaN or Inf in iteration 6: reward of env 3."
        # On each of two tasks one run has a score and the other counts 0: the middle half holds one of each.
        scores = sorted(row["score"] for row in content["runs"] if row["agent"] == "grpo" and "score" in row)
        assert content["agents"]["grpo"]["iqm"]["value"] == pytest.approx((0.0 + scores[0]) / 2)
        assert content["agents"]["grpo"]["failed"] == 2
        cell = content["tasks"][CHEETAH]["grpo"]
        assert (cell["finished"], cell["failed"], cell["steps_to_90"]) == (1, 1, None)
        for name in ("report.html", "report.md"):
            assert "NaN or Inf in iteration 6" in (whole / name).read_text()

    def test_figures_of_a_run_follow_from_its_files(self, whole):
        """The fake curve climbs by 440 an iteration from -200, with noise; the threshold is nine tenths of the end."""
        content = results(whole)
        reference = content["references"][CHEETAH]
        assert reference["random"] == -280.178953 and reference["source"] == "best agent here (cgrpo)"
        run = next(row for row in content["runs"] if (row["task"], row["agent"], row["seed"]) == (CHEETAH, "cgrpo", 1))
        table = list(csv.DictReader(next(whole.glob(f"runs/{CHEETAH}/cgrpo/seed_1/rsl_rl/*/*/progress.csv")).open()))
        curve = [float(row["Train/mean_reward"]) for row in table]
        first = next(i for i, value in enumerate(curve) if value >= reference["threshold"])
        assert run["steps_to_90"] == 100 * (first + 1) and run["seconds_to_90"] == 0.5 * (first + 1)
        assert run["return"] == curve[-1] and run["training_time_s"] == 5.0
        # Every perturbed world of the fake judge returns four fifths.
        expected = (0.8 * curve[-1] - reference["random"]) / (reference["expert"] - reference["random"])
        assert run["perturbed_score"] == pytest.approx(expected)
        assert run["retained"] == pytest.approx(expected / run["score"])

    def test_measured_random_actions_are_the_zero_where_nothing_is_published(self, whole):
        assert results(whole)["references"][FRANKA]["random"] == -250.0

    def test_table_of_runs_has_a_line_for_each(self, whole):
        rows = list(csv.DictReader((whole / "results.csv").open()))
        assert len(rows) == 12 and {row["state"] for row in rows} == {"finished", "failed"}

    def test_page_is_well_formed_and_needs_nothing_else(self, whole):
        page = _Page((whole / "report.html").read_text())
        assert page.open_tags == []
        assert page.sources and all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
        assert all(target.startswith("#") and target[1:] in page.ids for target in page.targets)

    def test_errors_cannot_break_the_page(self, tmp_path):
        out = compare(tmp_path / "out", agents=("grpo",), tasks=(CHEETAH,), seeds="2,")
        file = next(out.rglob("failure.json"))
        file.write_text(json.dumps({"step": "train", "error": "<script>alert(1)</script>"}))
        main(["--report_only", "--out", str(out)], FAKE_SCRIPTS)
        assert "<script>" not in (out / "report.html").read_text()

    def test_a_policy_whose_return_is_not_finite_has_failed(self, tmp_path):
        out = compare(tmp_path / "out", agents=("cgrpo",), tasks=(CHEETAH,))
        file = next(out.glob("runs/*/*/seed_2/evaluation.json"))
        file.write_text(json.dumps({"episodes": 100, "return": {"mean": float("nan"), "std": 1.0}}))
        main(["--report_only", "--out", str(out)], FAKE_SCRIPTS)
        assert results(out)["agents"]["cgrpo"]["failed"] == 1
        assert "the return of the final policy is not finite" in (out / "report.html").read_text()

    def test_a_run_without_a_learning_curve_has_failed(self, tmp_path):
        out = compare(tmp_path / "out", agents=("cgrpo",), tasks=(CHEETAH,))
        table = next(out.glob("runs/*/*/seed_2/rsl_rl/*/*/progress.csv"))
        table.write_text("iteration,env_steps,wall_time_s\n10,1000,5.0\n")
        main(["--report_only", "--out", str(out)], FAKE_SCRIPTS)
        assert "no episode ended" in results(out)["runs"][1]["error"]

    def test_unfinished_runs_are_named_and_left_out(self, tmp_path):
        out = compare(tmp_path / "out", agents=("cgrpo",), tasks=(CHEETAH,), seeds="3")
        for evaluation in [*out.glob("runs/*/*/seed_2/evaluation.json"), *out.glob("runs/*/*/seed_3/evaluation.json")]:
            evaluation.unlink()
        main(["--report_only", "--out", str(out)], FAKE_SCRIPTS)
        assert results(out)["tasks"][CHEETAH]["cgrpo"]["finished"] == 1
        page = (out / "report.html").read_text()
        assert "Not finished and in no figure: HalfCheetah-CGRPO cgrpo seeds 2, 3." in page
        assert "Not finished yet: 2 runs of cgrpo. Agents are compared here once all their runs are there." in page

    def test_a_report_of_a_part(self, whole, tmp_path):
        """Seeds of one agent on one task, as if nothing else had been run."""
        out = shutil.copytree(whole, tmp_path / "out")
        main(
            ["--report_only", "--tasks", CHEETAH, "--agents", "ppo,cgrpo", "--seeds", "2,", "--out", str(out)],
            FAKE_SCRIPTS,
        )
        runs = [(run["task"], run["agent"], run["seed"]) for run in results(out)["runs"]]
        assert runs == [(CHEETAH, "cgrpo", 2), (CHEETAH, "ppo", 2)]
        assert results(out)["tasks"].keys() == {CHEETAH}
        assert json.loads((out / "comparison.json").read_text())["seeds"] == [1, 2]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--tasks", "Ant-CGRPO"], f"--tasks Ant-CGRPO: --out has no such runs, only {CHEETAH}"),
            (["--agents", "ppo", "trpo"], "--agents trpo: --out has no such runs, only cgrpo"),
            (["--seeds", "4"], "--seeds 3 4: --out has no such runs, only 1, 2"),
        ],
    )
    def test_a_report_of_what_is_not_there(self, whole, options, message):
        with pytest.raises(UserError, match=message):
            main(["--report_only", *options, "--out", str(whole)], FAKE_SCRIPTS)

    def test_agents_with_unfinished_runs_are_marked_and_not_compared(self, whole, tmp_path):
        """The best agent of all lacks one run: what is said at the top is about the others."""
        out = shutil.copytree(whole, tmp_path / "out")
        next(out.glob(f"runs/{CHEETAH}/cgrpo/seed_2/evaluation.json")).unlink()
        main(["--report_only", "--out", str(out)], FAKE_SCRIPTS)
        page, tables = (out / "report.html").read_text(), (out / "report.md").read_text()
        assert "| cgrpo (3 of 4 runs) |" in tables and "</span>cgrpo <small>3 of 4 runs</small></td>" in page
        assert "- ppo has the highest score" in tables and "- ppo does best in perturbed worlds" in tables
        assert "- cgrpo" not in tables and "3 of 4 runs" not in (whole / "report.md").read_text()


class TestSentences:
    @staticmethod
    def sentences(runs: dict[str, int], unfinished: tuple[str, ...] = (), reached: int | None = None) -> list[str]:
        """Of agents with clearly different scores, the first one's being the highest."""
        agents = {}
        for i, (name, count) in enumerate(runs.items()):
            score = {"value": 1.0 - 0.3 * i, "low": 0.9 - 0.3 * i, "high": 1.1 - 0.3 * i}
            agents[name] = {"iqm": score, "perturbed_iqm": score, "runs": count, "reached": reached or 0}
            agents[name]["steps_to_90"] = None if reached is None else 1000.0 * (i + 1)
        certain = {"value": 1.0, "low": 1.0, "high": 1.0}
        rows = [{"agent": name, "state": "finished"} for name, count in runs.items() for _ in range(count)]
        rows += [{"agent": name, "state": "unfinished"} for name in unfinished]
        improvement = {name: dict.fromkeys(agents, certain) for name in agents}
        content = {"agents": agents, "improvement": improvement, "runs": rows, "tasks": {}}
        return findings(content | {"settings": {"seeds": [1, 2, 3]}})["sentences"]

    @pytest.mark.parametrize(
        ("runs", "verdict"),
        [
            ({"a": 5, "b": 5}, "which is beyond chance."),
            ({"a": 5, "b": 4}, "of too few runs to rule out chance."),
            ({"a": 4, "b": 5}, "of too few runs to rule out chance."),
        ],
    )
    def test_few_runs_of_either_agent_prove_nothing(self, runs, verdict):
        assert self.sentences(runs)[1].endswith(verdict)

    def test_a_median_needs_more_than_half_of_the_runs(self):
        """Two of four reach it, which the median of four counts as never."""
        assert "No agent reaches 90 % of the expert in more than half of its runs." in self.sentences({"a": 4})

    def test_agents_with_unfinished_runs_win_nothing(self):
        lines = self.sentences({"a": 1, "b": 5, "c": 5}, unfinished=("a",), reached=5)
        assert [line.split()[0] for line in lines[:4]] == ["b", "A", "b", "b"] and "beats one of c" in lines[1]
        assert lines[4].startswith("Not finished yet: 1 run of a.") and len(lines) == 5

    def test_green_marks_the_best_of_each_column(self):
        """Returns, scores and shares are the better the higher they are, steps, seconds and spreads the lower."""
        high = ("return", "success", "score", "perturbed_score", "retained")
        low = ("steps_to_90", "seconds_to_90", "std_between_runs", "std_within_runs")
        cells = {name: dict.fromkeys((*high, *low), value) for name, value in (("a", 1.0), ("b", 2.0), ("c", None))}
        content = {"agents": {}, "improvement": {}, "runs": [], "tasks": {"T": cells}, "settings": {"seeds": [1, 2, 3]}}
        assert findings(content)["best_cells"]["T"] == dict.fromkeys(high, "b") | dict.fromkeys(low, "a")

    def test_where_no_agent_is_complete_only_that_is_said(self):
        (line,) = self.sentences({"a": 1, "b": 5}, unfinished=("a", "b"), reached=1)
        assert line.startswith("Not finished yet: 1 run of a, 1 run of b.")


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--agents", "cgrpo"], "--tasks: is missing"),
            (["--tasks", CHEETAH], "--agents: is missing"),
            (["--tasks", "HalfCheta-CGRPO", "--agents", "cgrpo"], "the nearest are HalfCheetah-CGRPO"),
            (["--tasks", CHEETAH, "--agents", "a2c"], "--agents a2c: HalfCheetah-CGRPO has no such agent"),
            (["--tasks", CHEETAH, "--agents", "ppo", "--seeds", "x"], "--seeds x: give their number"),
            (["--tasks", CHEETAH, "--agents", "ppo", "--steps", "0"], "--steps 0: must be at least 1"),
            (["--tasks", CHEETAH, "--agents", "ppo", "--steps", "much"], "--steps much: much is no whole number"),
            (["--tasks", CHEETAH, "--agents", "ppo", "--steps", "1", "Ant=5"], "--steps Ant=5: give a number or TASK"),
            (["--tasks", CHEETAH, FRANKA, "--agents", "ppo", "--steps", f"{FRANKA}=5"], "nothing about HalfCheetah"),
            (["--tasks", CHEETAH, "--agents", "ppo", "--jobs", "0"], "--jobs 0: must be at least 1"),
            (["--tasks", CHEETAH, "--agents", "ppo", "--expert", "sac"], "--expert sac: give best, d4rl or TASK"),
            (["--tasks", CHEETAH, "--agents", "ppo", "env=v6"], "env=v6: .* on HalfCheetah-CGRPO"),
            (["--tasks", CHEETAH, "--agents", "ppo", f"{CLIP}=0.1", f"{CLIP[:-1]}=0.1"], "no setting 'clip_para'"),
            (["--tasks", CHEETAH, "--agents", "ppo", "sac", f"{CLIP}=0.1"], "agent sac on HalfCheetah-CGRPO"),
            (["--tasks", CHEETAH, "--agents", "ppo", "grpo", "--num_envs", "12"], "divide the 12 .*agent grpo on Half"),
            (["--tasks", CHEETAH, "--agents", "ppo", f"{CLIP}=-1"], "clip_param = -1 .*agent ppo on HalfCheetah"),
            (["--tasks", CHEETAH, "--agents", "ppo", "agent.seed=3"], "agent.seed=3: --seeds says this already"),
            (["--report_only"], "--device: says how to run, --report_only runs nothing"),
            (["--report_only", "--steps", "5", f"{CLIP}=0.1"], f"--steps, --device, {CLIP}=0.1: says how to run"),
            (["--report_only", "--retry_failed"], "--retry_failed: runs failed runs again, --report_only runs nothing"),
        ],
    )
    def test_one_line_and_nothing_left_behind(self, tmp_path, options, message):
        with pytest.raises(UserError, match=message):
            main([*options, "--device", "cpu", "--out", str(tmp_path / "out")], FAKE_SCRIPTS)
        assert not (tmp_path / "out").exists()

    def test_a_report_of_nothing(self, tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            main(["--report_only", "--out", str(tmp_path / "out")], FAKE_SCRIPTS)
        assert not (tmp_path / "out").exists()

    def test_a_missing_package_is_named_with_the_remedy(self):
        with pytest.raises(UserError, match=r"sweep.py: needs the package no_such_one.*-i compare'"):
            require_extra("sweep.py", "no_such_one", "compare")
        require_extra("sweep.py", "json", "compare")

    def test_agents_of_skrl_need_it_before_the_first_run(self, tmp_path, monkeypatch):
        monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "skrl" else name)
        with pytest.raises(UserError, match="--agent td3: needs the package skrl.* -i baselines.*td3 on HalfCheetah"):
            compare(tmp_path / "out", agents=("ppo", "td3"), tasks=(CHEETAH,))

    @pytest.mark.parametrize(("text", "seeds"), [("3", (1, 2, 3)), ("7,3,7", (7, 3)), ("42,", (42,))])
    def test_seeds(self, text, seeds):
        assert parse_seeds(text) == seeds

    @pytest.mark.parametrize("seeds", [(1,), (1, 2, 3), (2, 1), (7, 3), (42,)])
    def test_the_report_names_seeds_as_the_command_takes_them(self, seeds):
        assert parse_seeds(seeds_option(seeds)) == seeds

    def test_a_row_that_is_being_written_does_not_count(self, tmp_path):
        table = tmp_path / "progress.csv"
        table.write_text("iteration,env_steps\n1,100\n2,2")
        assert steps_done(table) == 100

    def test_points_of_shortened_episodes_are_marked(self, tmp_path):
        rows = ["1,10,0.5,,", "2,20,1.0,-3,1", "3,30,1.5,-5,0.25", "4,40,2.0,-9,0"]
        head = "iteration,env_steps,wall_time_s,Train/mean_reward,Train/shortened"
        (tmp_path / "progress.csv").write_text("\n".join([head, *rows]) + "\n")
        curve = read_curve(tmp_path)
        assert (curve.steps.tolist(), curve.seconds.tolist()) == ([20.0, 30.0, 40.0], [1.0, 1.5, 2.0])
        assert (curve.returns.tolist(), curve.whole.tolist()) == ([-3.0, -5.0, -9.0], [False, False, True])

    def test_a_table_before_the_first_episode_has_no_curve(self, tmp_path):
        (tmp_path / "progress.csv").write_text("iteration,env_steps,wall_time_s\n1,100,0.5\n")
        assert [len(column) for column in read_curve(tmp_path)] == [0, 0, 0, 0]


class _Page(HTMLParser):
    """Tags left open, sources of pictures, targets of links and ids of an HTML page."""

    VOID = ("meta", "img", "br")

    def __init__(self, text: str):
        super().__init__()
        self.open_tags: list[str] = []
        self.sources: list[str] = []
        self.targets: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.sources += [attributes["src"]] if "src" in attributes else []
        self.targets += [attributes["href"]] if "href" in attributes else []
        if tag not in self.VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag
