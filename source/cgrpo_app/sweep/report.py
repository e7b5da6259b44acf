# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Writes a sweep's ``results.json``, ``results.csv`` and ``report.html``."""

import base64
import csv
import dataclasses
import io
import itertools
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from cgrpo_app import run_folder
from cgrpo_app.compare.page import render_page, write_text
from cgrpo_app.compare.settings import Settings
from cgrpo_app.provenance import describe_hardware, describe_versions
from cgrpo_app.sweep import figures
from cgrpo_app.sweep.search import counted_trials
from cgrpo_app.sweep.space import Space, short_name

PAIRS = 3
"""Pairs of the most important settings that get heat maps."""

SEED = 42
"""Of the random forest that tells importances."""


def write_report(folder: Path, study: optuna.Study, space: Space, settings: Settings) -> None:
    """Write the report of all trials so far and say where it is.

    Args:
        folder: Folder of the sweep.
        study: Its study.
        space: What was varied.
        settings: What all trials have in common.
    """
    rows = [describe(trial) for trial in counted_trials(study) if trial.state.is_finished()]
    finished = [row for row in rows if row["state"] == "finished"]
    shares = _importances(study, space, finished)
    best = max(finished, key=lambda row: row["return"], default=None)
    content = {
        "settings": dataclasses.asdict(settings),
        "space": {key: str(distribution) for key, distribution in space.parameters.items()},
        "trials": rows,
        "best": best,
        "front": pareto_front(finished),
        "importances": shares,
        "versions": describe_versions(),
        "hardware": describe_hardware(settings.device),
    }
    run_folder.write_json(folder / "results.json", content)
    write_text(folder / "results.csv", _csv(rows, space))
    pictures = _draw(finished, space, content)
    embedded = {name: base64.b64encode(svg.encode()).decode() for name, svg in pictures.items()}
    ranked = sorted(finished, key=lambda row: -row["return"])
    page = render_page(
        Path(__file__).parent / "report.html.j2", **content, pictures=embedded, ranked=ranked, short_name=short_name
    )
    write_text(folder / "report.html", page)
    if best is not None:
        print(
            f"best of {len(rows)}: trial {best['number']}, return {best['return']:.1f} ± {best['std']:.1f} within runs"
        )
        print(f"  {best['command']}")
    print(f"report: {folder / 'report.html'}")


def describe(trial: FrozenTrial) -> dict[str, Any]:
    """A trial as plain values."""
    states = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    return {
        "number": trial.number,
        "state": states[trial.state],
        "return": trial.value if trial.state == TrialState.COMPLETE else None,
        "std": trial.user_attrs.get("std_within_runs"),
        "std_between_runs": trial.user_attrs.get("std_between_runs"),
        "error": trial.user_attrs.get("error"),
        "params": trial.params,
        "overrides": trial.user_attrs.get("overrides", []),
        "command": trial.user_attrs.get("command"),
    }


def pareto_front(finished: list[dict[str, Any]]) -> list[int]:
    """Numbers of the trials that no other one beats in return and in stability."""

    def beats(a: dict[str, Any], b: dict[str, Any]) -> bool:
        no_worse = a["return"] >= b["return"] and a["std"] <= b["std"]
        return no_worse and (a["return"], a["std"]) != (b["return"], b["std"])

    return [row["number"] for row in finished if not any(beats(other, row) for other in finished)]


def _importances(study: optuna.Study, space: Space, finished: list[dict[str, Any]]) -> dict[str, float]:
    """Share of the spread of returns that each setting explains (fANOVA); empty where there are too few trials."""
    if len({row["return"] for row in finished}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=SEED)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {key: float(share) for key, share in shares.items() if key in space.parameters}


def _draw(finished: list[dict[str, Any]], space: Space, content: dict[str, Any]) -> dict[str, str]:
    """All figures as SVG by name."""
    if not finished:
        return {}
    pictures = {"trade_off": figures.trade_off(finished, content["front"]), "history": figures.history(finished)}
    if content["importances"]:
        pictures["importances"] = figures.importances(content["importances"])
    top = list(content["importances"])[:PAIRS]
    for number, keys in enumerate(itertools.combinations(top, 2)):
        for name, label, palette in (("return", "mean return", "viridis"), ("std", "mean std within runs", "magma_r")):
            surface = figures.surface(finished, keys, space.parameters, name)
            pictures[f"{name}_{number}"] = figures.heat_map(surface, keys, label, palette)
    return pictures


def _csv(rows: list[dict[str, Any]], space: Space) -> str:
    """One line per trial."""
    keys = list(space.parameters)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    figures_of_a_trial = ("number", "state", "return", "std", "std_between_runs", "error")
    writer.writerow([*figures_of_a_trial, *keys])
    for row in rows:
        cells = [row[name] for name in figures_of_a_trial] + [row["params"].get(key) for key in keys]
        writer.writerow(["" if cell is None else cell for cell in cells])
    return table.getvalue()
