# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Writes ``results.json``, ``results.csv``, ``report.html`` and ``report.md`` with their figures."""

import base64
import csv
import dataclasses
import io
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cgrpo_app import run_folder
from cgrpo_app.compare import figures, results, text
from cgrpo_app.compare.page import render_page, write_text
from cgrpo_app.compare.records import FAILED, FINISHED, UNFINISHED, Record, read_record
from cgrpo_app.compare.runs import RANDOM, RandomPolicy, Run
from cgrpo_app.compare.settings import Settings, command_of
from cgrpo_app.compare.training_job import FAILURE

CSV_COLUMNS = (
    "task", "agent", "seed", "state", "return", "return_std", "success", "score", "steps_to_90", "seconds_to_90",
    "last_part_return", "last_part_std", "perturbed_score", "retained", "env_steps", "training_time_s", "episodes",
    "error",
)  # fmt: skip


def write_report(
    folder: Path,
    settings: Settings,
    runs: list[Run],
    randoms: list[RandomPolicy],
    experts: dict[str, float],
    expert_options: list[str],
) -> None:
    """Read what the runs left and write the report, then say where it is.

    Args:
        folder: Folder of the comparison.
        settings: What is compared.
        runs: Its runs in any state.
        randoms: Measurements of random policies.
        experts: Given experts by task.
        expert_options: The same as on the command line.
    """
    records = [read_record(run) for run in runs]
    content = compute(settings, records, _random_returns(randoms), experts)
    content["command"] = command_of(settings, expert_options, folder)
    failures = {job.task: run_folder.find_json(job.folder / FAILURE) for job in randoms}
    content["random_failures"] = {task: failure["error"] for task, failure in failures.items() if failure is not None}
    run_folder.write_json(folder / "results.json", content)
    write_text(folder / "results.csv", csv_text(content["runs"]))
    pictures = draw_all(content)
    for name, svg in pictures.items():
        (folder / "figures").mkdir(exist_ok=True)
        write_text(folder / "figures" / f"{name}.svg", svg)
    for name in ("report.html", "report.md"):
        write_text(folder / name, render(f"{name}.j2", content, pictures))
    _print_summary(folder, content)


def compute(
    settings: Settings, records: list[Record], randoms: dict[str, float], experts: dict[str, float]
) -> dict[str, Any]:
    """Everything the report says, as plain values."""
    references = results.find_references(records, settings.tasks, randoms, experts)
    comparison = results.Comparison(records, settings.tasks, settings.agents, references)
    rows = [results.measure_run(record, references.get(record.task)) for record in records]
    cells = {
        task: {agent: results.summarize_cell(comparison, rows, task, agent) for agent in settings.agents}
        for task in settings.tasks
    }
    return {
        "settings": dataclasses.asdict(settings),
        "references": {
            task: {**dataclasses.asdict(entry), "threshold": entry.threshold} for task, entry in references.items()
        },
        "agents": {agent: results.summarize_agent(comparison, rows, agent) for agent in settings.agents},
        "improvement": results.improvements(comparison, rows),
        "tasks": cells,
        "runs": rows,
        **_made_with(records),
    }


def draw_all(content: dict[str, Any]) -> dict[str, str]:
    """All figures as SVG by name."""
    agents = content["agents"]
    pictures = {}
    if any("iqm" in entry for entry in agents.values()):
        pictures["score"] = figures.intervals(agents, "iqm", "score (0 random actions, 1 expert)")
        pictures["profiles"] = figures.profiles(agents)
    if any("perturbed_iqm" in entry for entry in agents.values()):
        pictures["generalisation"] = figures.intervals(agents, "perturbed_iqm", "score in perturbed worlds")
    if content["improvement"]:
        pictures["improvement"] = figures.improvement(content["improvement"])
    for task, cells in content["tasks"].items():
        threshold = content["references"].get(task, {}).get("threshold")
        if any("curve" in cell for cell in cells.values()):
            pictures[f"{task}_steps"] = figures.learning_curves(cells, "steps", threshold)
            pictures[f"{task}_time"] = figures.learning_curves(cells, "seconds", threshold)
        if any(cell.get("perturbed") for cell in cells.values()):
            pictures[f"{task}_robustness"] = figures.robustness(cells)
    return pictures


def render(template: str, content: dict[str, Any], pictures: dict[str, str]) -> str:
    """Fill a template of this folder."""
    return render_page(
        Path(__file__).parent / template,
        **content,
        **text.findings(content),
        pictures={name: base64.b64encode(svg.encode()).decode() for name, svg in pictures.items()},
        colors={agent: figures.color(agent, list(content["agents"])) for agent in content["agents"]},
        failures=[row for row in content["runs"] if row["state"] == FAILED],
        unfinished=[row for row in content["runs"] if row["state"] == UNFINISHED],
    )


def csv_text(rows: list[dict[str, Any]]) -> str:
    """One line per run."""
    table = io.StringIO()
    writer = csv.DictWriter(table, CSV_COLUMNS, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return table.getvalue()


def _random_returns(randoms: list[RandomPolicy]) -> dict[str, float]:
    """Measured mean return of random actions by task."""
    measured = {job.task: run_folder.find_json(job.folder / RANDOM) for job in randoms}
    return {task: result["return"]["mean"] for task, result in measured.items() if result is not None}


def _made_with(records: list[Record]) -> dict[str, Any]:
    """Distinct versions and machines of the runs, and the versions of what the report itself is made with."""
    versions: list[dict[str, str]] = []
    hardware: list[dict[str, Any]] = []
    for record in records:
        if record.state == FINISHED:
            versions += [record.report["versions"]] if record.report["versions"] not in versions else []
            hardware += [record.report["hardware"]] if record.report["hardware"] not in hardware else []
    return {
        "versions": versions,
        "hardware": hardware,
        "report_versions": {name: version(name) for name in ("arch", "matplotlib")},
    }


def _print_summary(folder: Path, content: dict[str, Any]) -> None:
    """The last lines: scores by agent, failures and where the report is."""
    ranked = sorted(content["agents"].items(), key=lambda item: -item[1].get("iqm", {"value": float("-inf")})["value"])
    for agent, entry in ranked:
        score = text.interval(entry["iqm"]) if "iqm" in entry else "no score"
        failed = f"  {entry['failed']} of {entry['runs']} FAILED" if entry["failed"] else ""
        print(f"  {agent:<14} {score:<24} reached 90 %: {entry['reached']}/{entry['runs']}{failed}")
    for row in content["runs"]:
        if row["state"] == FAILED:
            print(f"  FAILED {row['task']} {row['agent']} seed {row['seed']}: {row['error']}")
    print(f"report: {folder / 'report.html'}")
