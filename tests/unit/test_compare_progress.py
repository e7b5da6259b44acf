# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""How much of a comparison is done, and when it will end."""

import io
import json
from dataclasses import dataclass
from pathlib import Path

from cgrpo_app.compare import progress
from cgrpo_app.compare.progress import Progress, expected_costs
from cgrpo_app.compare.runs import Run


@dataclass
class Job:
    """A job by its figures."""

    name: str
    kind: tuple[str, ...]
    seconds: float | None = None
    share: float = 0.0
    folder: Path = Path("nowhere")

    def next_step(self):
        return None if self.share == 1.0 else "train"

    def progress(self):
        return self.share

    def training_time(self):
        return self.seconds


class TestExpectedCosts:
    def test_most_like_jobs_tell(self):
        """Own time, same agent on the task, same agent elsewhere, anything; random actions cost nothing."""
        known = [("sac", "ant", 800.0), ("sac", "ant", 1000.0), ("sac", "cheetah", 300.0), ("gpg", "ant", 60.0)]
        jobs = [Job("", (agent, task), seconds) for agent, task, seconds in known]
        jobs += [Job("", kind) for kind in (("sac", "ant"), ("sac", "walker"), ("ppo", "ant"))]
        jobs.append(Job("", (), 0.0))
        costs = expected_costs(jobs)
        assert costs[:4] == [800.0, 1000.0, 300.0, 60.0]
        assert costs[4:] == [900.0, 700.0, 540.0, 0.0]

    def test_all_count_alike_before_the_first_end(self):
        assert expected_costs([Job("a", ("ppo", "ant")), Job("b", ("sac", "ant"))]) == [1.0, 1.0]


class TestProgress:
    def test_eta_counts_what_is_left_by_its_cost(self, monkeypatch):
        """A minute's job has ended after 66 s; the other agent's, of which a tenth is done, takes 600 s by its like."""
        seconds = iter([1000.0, 1066.0])
        monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
        before = Job("before", ("sac", "ant"), 600.0, 1.0)
        short, long = Job("short", ("gpg", "ant")), Job("long", ("sac", "ant"))
        stream = io.StringIO()
        shown = Progress([before, short, long], stream)
        short.seconds, short.share, long.share = 60.0, 1.0, 0.1
        shown.finished(short)
        # 60 + 60 of 660 s are done in 66 s.
        assert stream.getvalue() == "[2/3]  57%  elapsed 0:01:06  eta 0:04:57  short: done\n"


def test_time_of_a_training_is_that_of_its_report(tmp_path):
    run = Run(None, "ant", "ppo", 1, tmp_path, tmp_path)
    assert run.training_time() is None
    training = run.folder / "rsl_rl" / "experiment" / "time"
    training.mkdir(parents=True)
    (training / "model_2.pt").touch()
    (training / "launch.json").write_text(json.dumps({"max_iterations": 2}))
    for iterations, expected in ((1, None), (2, 12.5)):
        (training / "report.json").write_text(json.dumps({"iterations": iterations, "training_time_s": 12.5}))
        assert run.training_time() == expected, "one that was interrupted has a report, too"


def test_runs_of_a_kind_differ_by_seed_alone(tmp_path):
    kinds = [Run(None, task, agent, seed, tmp_path, tmp_path).kind for task, agent, seed in
             (("ant", "ppo", 1), ("ant", "ppo", 2), ("ant", "sac", 1))]  # fmt: skip
    assert kinds[0] == kinds[1] != kinds[2]
