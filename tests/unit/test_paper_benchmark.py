# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The paper's experiment: what is run, what goes on after a kill, and how its statements are judged."""

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from cgrpo_app.benchmarks import paper
from cgrpo_app.benchmarks.paper_claims import Difference, claims
from cgrpo_app.benchmarks.paper_outcomes import Outcome, read_outcome
from cgrpo_app.benchmarks.paper_ratio import ratio_of_groups
from cgrpo_app.benchmarks.paper_studies import ABLATIONS, FULL, GRID, NO_GROUPS, SIMPLE, STUDIES, Trial
from cgrpo_app.errors import UserError
from cgrpo_lab.algorithms.config import CGRPOCfg

ITERATIONS = 50


def trial(root: Path, case=FULL, seed=1) -> Trial:
    return Trial(case, seed, ITERATIONS, 64, root, Path("scripts"))


def leave_run(made: Trial, reward: float, iterations: int = ITERATIONS, first_end: int = 5) -> Path:
    """Write what ``train.py`` leaves; rewards rise to the given one, and no episode ends before ``first_end``."""
    folder = made.folder / "rsl_rl" / "experiment" / "2026-01-01_00-00-00"
    folder.mkdir(parents=True)
    (folder / "model_50.pt").touch()
    names = [f"Policy/reward_{i}" for i in range(made.case.policies)]
    with (folder / "progress.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["iteration", "env_steps", "wall_time_s", "Train/mean_reward", *names])
        writer.writeheader()
        for i in range(iterations):
            rewards = {name: reward * i / iterations - 0.01 * number for number, name in enumerate(names)}
            returns = "" if i < first_end else 1000 * reward * i / iterations
            writer.writerow(
                {"iteration": i, "env_steps": 2048 * i, "wall_time_s": i, "Train/mean_reward": returns, **rewards}
            )
    final = {"return": {"mean": 1000 * reward}}
    (folder / "report.json").write_text(
        json.dumps({"iterations": iterations, "training_time_s": 9.0, "final_policy": final})
    )
    (folder / "launch.json").write_text(json.dumps({"max_iterations": ITERATIONS}))
    return folder


def outcome(case: str, seed: int, ends: tuple[float, float], noise: float = 1.0) -> Outcome:
    """Curves from -600 to their ends in a straight line with noise."""
    draw = np.random.default_rng([seed, len(case)])
    curves = np.linspace(-600.0, np.array(ends), ITERATIONS, axis=1) + noise * draw.normal(size=(2, ITERATIONS))
    nothing = np.full(ITERATIONS, np.nan)
    return Outcome.of(case, "main", seed, curves=curves, episode_returns=nothing, deterministic=0.0, wall_time_s=1.0)


def test_every_case_is_one_component_or_one_pair_of_numbers():
    """Names are folders, so they differ; settings are ones the algorithm has."""
    cases = [case for study in STUDIES.values() for case in study]
    assert len({case.name for case in cases}) == len(cases)
    assert len({case.overrides for case in ABLATIONS}) == len(ABLATIONS)
    default = {"agent.algorithm.num_policies=2", "agent.algorithm.num_groups=2"}
    assert len({(case.task, case.agent, frozenset(case.overrides) - default) for case in cases}) == len(cases)
    pairs = [(case.policies, case.groups) for case in GRID]
    assert pairs == [(n, k) for n in (2, 4, 8, 16) for k in (1, 2, 4) if k <= n]
    known = set(CGRPOCfg.__dataclass_fields__)
    assert {item.removeprefix("agent.algorithm.").split("=")[0] for case in cases for item in case.overrides} <= known


def test_a_trial_goes_on_where_it_was_killed(tmp_path):
    made = trial(tmp_path)
    assert "--max_iterations" in made.next_step().command and made.progress() == 0.0
    leave_run(made, 0.1, iterations=20)
    command = made.next_step().command
    assert command[command.index("--load_run") + 1] == "2026-01-01_00-00-00" and "--resume" in command
    assert "agent.num_steps_per_env=32" in command and not made.is_trained()
    assert 0.3 < made.progress() < 0.5


def test_a_finished_trial_is_read(tmp_path):
    made = trial(tmp_path)
    leave_run(made, 0.1)
    assert made.next_step() is None
    result = read_outcome(made)
    last = 1000 * 0.1 * np.arange(45, 50).mean() / 50
    np.testing.assert_allclose(result.ends, [last, last - 10.0])
    assert result.start == pytest.approx(-5.0) and result.episode_end == pytest.approx(last)
    assert result.unsteadiness == pytest.approx(0.0, abs=1e-6) and result.deterministic == 100.0
    tens = 1000 * 0.1 * (np.arange(0, ITERATIONS, 10) + 4.5) / ITERATIONS
    np.testing.assert_allclose(result.curves, [tens, tens - 10.0])
    # The first episode ends in the sixth iteration, so five returns make up the first point.
    np.testing.assert_allclose(result.episode_curve, [1000 * 0.1 * 7 / ITERATIONS, *tens[1:]])


def test_an_outcome_survives_its_file(tmp_path):
    """What is read back is what was written, points of curves to a tenth."""
    made = trial(tmp_path)
    leave_run(made, 0.1, first_end=15)
    result = read_outcome(made)
    again = Outcome(**json.loads(json.dumps(asdict(result))))
    assert again.episode_curve[0] is None and again.curves[0][1] == pytest.approx(result.curves[0][1], abs=0.05)
    assert replace(again, curves=result.curves, episode_curve=result.episode_curve) == result
    with pytest.raises(TypeError):
        Outcome(**asdict(result), colour=1)


def test_statements_hold_only_where_seeds_agree():
    """Clear differences are told, and so are ones that are none."""
    clear = [outcome("full", s, (600.0 + s, 500.0 + s), noise=1.0) for s in range(5)]
    clear += [outcome("simple", s, (300.0 + s, 200.0 + s), noise=9.0) for s in range(5)]
    assert [claim.verdict for claim in claims(clear)] == ["yes", "yes", "yes", "yes"]
    spread = (-300.0, 500.0, 0.0, -200.0, 300.0)
    vague = [outcome(case, s, (end, -end), noise=1.0) for case in ("full", "simple") for s, end in enumerate(spread)]
    assert [claim.verdict for claim in claims(vague)] == ["yes", "not shown", "not shown", "not shown"]
    swapped = [replace(o, case="simple" if o.case == "full" else "full") for o in clear]
    assert claims(swapped)[1].verdict == "no, the opposite"
    assert claims(clear[:5]) == []
    assert str(Difference.of([1.0], [2.0])) == "-1" and Difference.of([1.0], [2.0]).verdict == "not shown"


def test_ratio_of_groups_is_the_slope_within_each_number_of_policies():
    """Against sums over deviations from the means of each N; a number of policies without trials of both is no part."""
    draw = np.random.default_rng(7)
    trials = [(case, seed) for case in GRID if case.groups < 4 for seed in range(2 + case.policies // 4)]
    made = [outcome(case.name, seed, (end, end)) for case, seed in trials for end in [draw.uniform(200.0, 900.0)]]
    outcomes = [found for found in made if found.case != "N=16 K=1"]
    deviations = []
    for policies in (2, 4, 8):
        cases = {case.name: case.groups == 2 for case in GRID if case.policies == policies}
        values = [(cases[found.case], np.log(found.end)) for found in outcomes if found.case in cases]
        means = np.mean(values, axis=0)
        deviations += [(x - means[0], y - means[1]) for x, y in values]
    products, squares = sum(x * y for x, y in deviations), sum(x * x for x, _ in deviations)
    slope = products / squares
    residuals = sum((y - slope * x) ** 2 for x, y in deviations)
    freedom = len(deviations) - 4
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(residuals / freedom / squares)
    ratio = ratio_of_groups(outcomes, 2, 1)
    assert [ratio.value, ratio.low, ratio.high] == pytest.approx(np.exp([slope, slope - reach, slope + reach]))
    assert f"{ratio.value:.2f} times (95 % interval {ratio.low:.2f} to" in str(ratio)
    assert ratio_of_groups(outcomes, 4, 1) is None and ratio_of_groups([], 2, 1) is None
    negative = [outcome(case.name, seed, (-10.0, -10.0)) for case, seed in trials]
    assert ratio_of_groups(negative, 2, 1) is None


def test_report_of_what_is_finished(tmp_path, capsys):
    """Tables, pictures and figures; paths of this machine are left out; another setting needs another folder."""
    out, report = tmp_path / "out", tmp_path / "report"
    for case in (FULL, SIMPLE, ABLATIONS[0], NO_GROUPS, STUDIES["grid"][0], *STUDIES["transfer"]):
        for seed in (1, 2):
            leave_run(trial(out, case, seed), 0.1 * seed)
    options = ["--out", str(out), "--report", str(report), "--iterations", str(ITERATIONS)]
    paper.main([*options, "--report_only"])
    assert "both variants learn: yes" in capsys.readouterr().out
    page = (report / "README.md").read_text()
    for picture in ("curves", "ablation", "grid", "transfer"):
        assert f"({picture}.svg)" in page and (report / f"{picture}.svg").read_text().lstrip().startswith("<?xml")
    assert (
        "| no reference | 2 |" in page
        and "| no policy groups | 2 |" in page
        and "| Ant simple | 2 | 141 ± 66 | +0 (-286 to +286) |" in page
    )
    assert "| 2 | 1 | 2 |" in page and "| 2 | 2 | 2 |" in page and "| 4 | 1 | 2 |" in page and "| 8 |" not in page
    assert "With the same N, K=2 ends 1.00 times (95 % interval 0.11 to 8.96) as high as K=1: from the" in page
    results = (report / "results.json").read_text()
    assert str(tmp_path) not in page + results and len(json.loads(results)["trials"]) == 18
    with pytest.raises(UserError, match="--iterations 60: the trials in .* have 50"):
        paper.main(["--out", str(out), "--iterations", "60", "--report_only"])


def test_studies_may_be_run_one_after_the_other(tmp_path, capsys):
    """A report keeps the trials of earlier calls, whose folders may be gone, and takes new figures for old ones."""
    report = tmp_path / "report"

    def make(out: str, study: str, reward: float, *seeds: int) -> str:
        for case in STUDIES[study]:
            for seed in seeds:
                leave_run(trial(tmp_path / out, case, seed), reward + 0.001 * seed)
        options = ["--out", str(tmp_path / out), "--report", str(report), "--iterations", str(ITERATIONS)]
        paper.main([*options, "--studies", study, "--seeds", "2", "--follow_up_seeds", "1", "--report_only"])
        capsys.readouterr()
        return (report / "README.md").read_text()

    assert "| Ant full |" not in make("first", "main", 0.1, 1, 2)
    page = make("second", "transfer", 0.2, 1)
    assert "| both variants learn | " in page and "| Ant full | 1 |" in page
    assert "--out first --report report --iterations 50 --studies main" in page
    assert "--out second --report report --iterations 50 --studies transfer" in page
    assert {path.name for path in report.glob("*.svg")} == {"curves.svg", "transfer.svg"}
    make("third", "main", 0.3, 1)
    results = json.loads((report / "results.json").read_text())
    rows = [
        (row["case"], row["seed"], round(row["deterministic"])) for row in results["trials"] if row["study"] == "main"
    ]
    assert rows == [("full", 1, 301), ("full", 2, 102), ("simple", 1, 301), ("simple", 2, 102)]
    assert "--out third" in results["made_by"]["main"]["command"] and "--out second" in make("third", "main", 0.3, 3)

    options = ["--out", str(tmp_path / "third"), "--report", str(report), "--report_only"]
    with pytest.raises(UserError, match="--num_envs 128: .*results.json has figures of 64; take another --report"):
        paper.main(["--out", str(tmp_path / "other"), "--iterations", "50", "--num_envs", "128", *options[2:]])
    for damage in ("{", "{}", json.dumps({**results, "trials": [{**results["trials"][0], "case": "fuller"}]})):
        (report / "results.json").write_text(damage)
        with pytest.raises(UserError, match="results.json: is no report of this version .*; take another --report"):
            paper.main([*options, "--iterations", "50"])
        assert (report / "results.json").read_text() == damage


def test_failed_trials_are_listed_and_repeated_on_request(tmp_path, capsys):
    out, report = tmp_path / "out", tmp_path / "report"
    (tmp_path / "train.py").write_text("import sys; sys.exit('error: reward is NaN.')")
    leave_run(trial(out, FULL), 0.1)
    log = trial(out, SIMPLE).folder / "train.log"
    options = ["--out", str(out), "--report", str(report), "--iterations", str(ITERATIONS)]
    for repeat, times in (([], 1), ([], 1), (["--retry_failed"], 2)):
        paper.main([*options, "--studies", "main", "--seeds", "1", *repeat], tmp_path)
        assert log.read_text().count("error: ") == times
        printed = capsys.readouterr().out
        assert "FAILED simple seed 1: reward is NaN." in printed and "1 of 2 trials are finished, 1 FAILED" in printed
        results = json.loads((report / "results.json").read_text())
        assert results["failures"] == [{"case": "simple", "seed": 1, "error": "reward is NaN."}]
        assert "## Failures" in (report / "README.md").read_text()
        assert "--retry_failed" not in results["made_by"]["main"]["command"]


def test_a_return_of_no_episode_is_a_dash_and_null(tmp_path):
    """Few iterations end before the first episode does."""
    out = tmp_path / "out"
    for case in STUDIES["transfer"]:
        leave_run(trial(out, case), 0.1, first_end=ITERATIONS)
    paper.main(["--out", str(out), "--iterations", str(ITERATIONS), "--studies", "transfer", "--report_only"])
    results = json.loads((out / "results.json").read_text(), parse_constant=pytest.fail)
    assert {row["episode_end"] for row in results["trials"]} == {None}
    assert "| Ant simple | 1 | – |  | 100 |" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--studies", "main,mian", "mian: is no study"),
        ("--num_envs", "48", "must divide the 2048"),
        ("--num_envs", "8", "must be a multiple of the 16 policies"),
        ("--iterations", "5", "must be at least 10"),
        ("--jobs", "0", "must be at least 1"),
    ],
)
def test_mistakes_are_named(tmp_path, option, value, message):
    with pytest.raises(UserError, match=message):
        paper.main(["--out", str(tmp_path), option, value])
