# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``progress.csv``, the console line and ``curves.png``."""

import csv
import io

import pytest
from matplotlib.axes import Axes

from cgrpo_lab.runners.curves import draw_curves
from cgrpo_lab.runners.run_log import ProgressLine, ProgressTable


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def row(iteration, **metrics):
    return {"iteration": iteration, "env_steps": 10 * iteration, "wall_time_s": 0.5, **metrics}


def test_table_has_a_row_per_iteration_and_a_column_per_metric(tmp_path):
    table = ProgressTable(tmp_path / "progress.csv")
    table.add(row(1, a=1.5))
    table.add(row(2, a=2.5))
    assert (tmp_path / "progress.csv").read_text().splitlines() == [
        "iteration,env_steps,wall_time_s,a", "1,10,0.5,1.5", "2,20,0.5,2.5",
    ]  # fmt: skip


def test_a_metric_seen_later_becomes_the_last_column_and_missing_ones_stay_empty(tmp_path):
    table = ProgressTable(tmp_path / "progress.csv")
    table.add(row(1, a=1))
    table.add(row(2, b=2))
    table.add(row(3, a=3))
    rows = read(tmp_path / "progress.csv")
    assert list(rows[0]) == ["iteration", "env_steps", "wall_time_s", "a", "b"]
    assert [(r["a"], r["b"]) for r in rows] == [("1", ""), ("", "2"), ("3", "")]


def test_resume_goes_on_after_the_checkpoint_and_forgets_what_came_later(tmp_path):
    table = ProgressTable(tmp_path / "progress.csv")
    for i in range(1, 6):
        table.add(row(i, a=i))
    table = ProgressTable(tmp_path / "progress.csv", resume_at=3)
    assert [r["iteration"] for r in read(tmp_path / "progress.csv")] == ["1", "2", "3"]
    table.add(row(4, a=40, c=1))
    assert [(r["iteration"], r["a"], r["c"]) for r in read(tmp_path / "progress.csv")][2:] == [
        ("3", "3", ""),
        ("4", "40", "1"),
    ]


def test_a_line_cut_off_by_a_kill_is_forgotten(tmp_path):
    # What is left of the last line would otherwise pass for a row.
    path = tmp_path / "progress.csv"
    path.write_text("iteration,env_steps,wall_time_s,a\n1,10,0.5,1\n2,20")
    ProgressTable(path, resume_at=5)
    assert [r["iteration"] for r in read(path)] == ["1"]


def test_no_temporary_file_is_left(tmp_path):
    ProgressTable(tmp_path / "progress.csv").add(row(1, a=1))
    assert [path.name for path in tmp_path.iterdir()] == ["progress.csv"]


METRICS = {"Train/mean_reward": 1.25, "Train/success": 0.5, "Perf/total_fps": 12345.6, "wall_time_s": 61.0}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_line_tells_iteration_reward_success_speed_and_time():
    stream = Terminal()
    ProgressLine(False, stream).show(7, 100, METRICS, 3600.0, False)
    line = stream.getvalue()
    assert line.startswith("\r[  7/100]") and "\n" not in line
    for part in ("1.25", "50.0%", "12,346 steps/s", "elapsed 0:01:01", "eta 1:00:00"):
        assert part in line


def test_line_ends_with_the_run():
    stream = Terminal()
    ProgressLine(False, stream).show(7, 7, METRICS, 0.0, True)
    assert stream.getvalue().endswith("\n")


def test_a_file_gets_few_lines():
    stream = io.StringIO()
    line = ProgressLine(False, stream)
    for i in range(1, 26):
        line.show(i, 25, METRICS, 1.0, i == 25)
    assert [text.split("/")[0].strip("[ ") for text in stream.getvalue().splitlines()] == ["1", "10", "20", "25"]


def test_line_without_a_finished_episode():
    stream = io.StringIO()
    ProgressLine(False, stream).show(1, 2, {"Perf/total_fps": 1.0, "wall_time_s": 1.0}, 1.0, False)
    assert "reward" not in stream.getvalue() and "success" not in stream.getvalue()


def test_verbose_prints_every_metric():
    stream = io.StringIO()
    ProgressLine(True, stream).show(1, 2, METRICS, 1.0, False)
    assert all(name in stream.getvalue() for name in METRICS)


@pytest.mark.parametrize("values", [["1.0", "2.0"], ["1.0", "nan"], ["", "2.0"]])
def test_curves_are_a_picture(tmp_path, values):
    table = ProgressTable(tmp_path / "progress.csv")
    for i, value in enumerate(values, start=1):
        table.add({**row(i), "Train/mean_reward": value, "Train/success": 0.1 * i, "Policy/kl": 0.01})
    draw_curves(tmp_path / "progress.csv", tmp_path / "curves.png", "title")
    picture = (tmp_path / "curves.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n" and len(picture) > 5000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "progress.csv"]


@pytest.mark.parametrize(
    ("shortened", "drawn"),
    [
        ((1.0, 0.5, 0.0, 0.0), [3.0, 4.0]),
        ((1.0, 1.0, 1.0, 0.0), [1.0, 2.0, 3.0, 4.0]),
        ((None, None, None, None), [1.0, 2.0, 3.0, 4.0]),
    ],
)
def test_returns_of_half_episodes_are_no_part_of_the_curve(tmp_path, monkeypatch, shortened, drawn):
    """They are left out where two points of whole episodes remain; other metrics keep every point."""
    table = ProgressTable(tmp_path / "progress.csv")
    for i, share in enumerate(shortened, start=1):
        values = {} if share is None else {"Train/shortened": share}
        table.add({**row(i), "Train/mean_reward": float(i), "Train/success": 0.1 * i, **values})
    lines = {}
    monkeypatch.setattr(Axes, "plot", lambda axes, x, y, label, **style: lines.update({label: list(y)}))
    draw_curves(tmp_path / "progress.csv", tmp_path / "curves.png", "title")
    assert lines["mean_reward"] == drawn and len(lines["success"]) == 4


def test_nothing_is_drawn_from_an_empty_table(tmp_path):
    (tmp_path / "progress.csv").write_text("iteration,env_steps,wall_time_s\n")
    draw_curves(tmp_path / "progress.csv", tmp_path / "curves.png", "title")
    assert not (tmp_path / "curves.png").exists()
