# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""How the report words its figures."""

from collections import Counter
from datetime import timedelta
from typing import Any

from cgrpo_app.compare.figures import short
from cgrpo_app.compare.records import FAILED, UNFINISHED

NONE = "–"

RUNS_FOR_A_VERDICT = 5
"""Runs of an agent below which a bootstrap interval without overlap proves little: 2 + 2 runs separate by chance in one
case of three, 5 + 5 in one of 126."""


def number(value: float | None, digits: int = 3) -> str:
    """A figure with three significant digits, thousands whole; a dash for none."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def score(value: float | None) -> str:
    """A score with two decimals."""
    return NONE if value is None else f"{value:.2f}"


def interval(entry: dict[str, float] | None) -> str:
    """A score with its 95 % interval."""
    return NONE if entry is None else f"{entry['value']:.2f} [{entry['low']:.2f}, {entry['high']:.2f}]"


def share(value: float | None) -> str:
    """A share in percent."""
    return NONE if value is None else f"{value:.0%}"


def steps(value: float | None) -> str:
    """A number of env steps; it was not reached if it is missing."""
    return "not reached" if value is None else short(value)


def budget(steps_by_task: dict[str, int]) -> str:
    """Env steps of a run; their range if tasks differ."""
    least, most = min(steps_by_task.values()), max(steps_by_task.values())
    return short(least) if least == most else f"{short(least)} to {short(most)}"


def seconds(value: float | None) -> str:
    """A duration as a person reads it; a dash for one that did not come about."""
    if value is None:
        return NONE
    return f"{value:.3g} s" if value < 120 else str(timedelta(seconds=round(value)))


def plural(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def by_agent(rows: list[dict[str, Any]]) -> list[str]:
    """Runs with their seeds together: ``HalfCheetah-CGRPO ppo seeds 2, 3``."""
    seeds: dict[str, list[str]] = {}
    for row in rows:
        seeds.setdefault(f"{row['task']} {row['agent']}", []).append(str(row["seed"]))
    return [f"{name} {'seed' if len(of) == 1 else 'seeds'} {', '.join(of)}" for name, of in seeds.items()]


FILTERS = {
    "by_agent": by_agent,
    "number": number,
    "score": score,
    "interval": interval,
    "share": share,
    "steps": steps,
    "seconds": seconds,
    "short": short,
    "budget": budget,
    "plural": plural,
}


def findings(content: dict[str, Any]) -> dict[str, Any]:
    """Agents in order of their score, the best value of each column and the sentences at the top."""
    agents = content["agents"]
    scored = sorted((name for name in agents if "iqm" in agents[name]), key=lambda name: -agents[name]["iqm"]["value"])
    ranking = [*scored, *(name for name in agents if name not in scored)]
    incomplete = _incomplete(content["runs"])
    complete = {name: agents[name] for name in ranking if name not in incomplete}
    return {
        "ranking": ranking,
        "incomplete": incomplete,
        "best": _best_of_agents(complete),
        "best_cells": {task: _best_of_cells(cells) for task, cells in content["tasks"].items()},
        "sentences": [*_verdicts(complete, content["improvement"]), *_cautions(content)],
    }


def _incomplete(runs: list[dict[str, Any]]) -> dict[str, str]:
    """Agents with unfinished runs and how many are there: over other tasks and seeds, figures cannot be compared."""
    total = Counter(row["agent"] for row in runs)
    missing = _unfinished(runs)
    return {agent: f"{total[agent] - count} of {plural(total[agent], 'run')}" for agent, count in missing.items()}


def _unfinished(runs: list[dict[str, Any]]) -> Counter[str]:
    """Number of unfinished runs by agent, of the agents that have any."""
    return Counter(row["agent"] for row in runs if row["state"] == UNFINISHED)


def _best_of_agents(agents: dict[str, dict[str, Any]]) -> dict[str, str | None]:
    """Agent with the best value of each column of the first table."""

    def pick(key: str, sign: int, get: str | None = None) -> str | None:
        values = {
            name: entry[key][get] if get else entry[key] for name, entry in agents.items() if entry.get(key) is not None
        }
        return min(values, key=lambda name: sign * values[name]) if len(values) > 1 else None

    return {
        "iqm": pick("iqm", -1, "value"),
        "perturbed_iqm": pick("perturbed_iqm", -1, "value"),
        "steps_to_90": pick("steps_to_90", 1),
        "std_between_runs": pick("std_between_runs", 1),
        "std_within_runs": pick("std_within_runs", 1),
    }


def _best_of_cells(cells: dict[str, dict[str, Any]]) -> dict[str, str | None]:
    """Agent with the best value of each column of a task's table."""
    best = {}
    for key, sign in (
        ("return", -1), ("success", -1), ("score", -1), ("steps_to_90", 1), ("seconds_to_90", 1),
        ("std_between_runs", 1), ("std_within_runs", 1), ("perturbed_score", -1), ("retained", -1),
    ):  # fmt: skip
        values = {name: cell[key] for name, cell in cells.items() if cell.get(key) is not None}
        best[key] = min(values, key=lambda name: sign * values[name]) if len(values) > 1 else None
    return best


def _verdicts(agents: dict[str, dict[str, Any]], improvement: dict[str, Any]) -> list[str]:
    """What a reader should know who reads nothing else, about agents in the order of their scores."""
    lines = []
    scored = [name for name in agents if "iqm" in agents[name]]
    if scored:
        best = agents[scored[0]]["iqm"]
        lines.append(f"{scored[0]} has the highest score: {interval(best)} (interquartile mean, 95 % interval).")
    if len(scored) > 1:
        lines.append(_against_second(agents, improvement, *scored[:2]))
    fast = {name: entry["steps_to_90"] for name, entry in agents.items() if entry["steps_to_90"] is not None}
    if fast:
        first = min(fast, key=fast.__getitem__)
        entry = agents[first]
        lines.append(
            f"{first} reaches 90 % of the expert first: after {short(fast[first])} env steps in the median, "
            f"{entry['reached']} of {plural(entry['runs'], 'run')} got there."
        )
    elif scored:
        lines.append("No agent reaches 90 % of the expert in more than half of its runs.")
    general = {name: entry["perturbed_iqm"]["value"] for name, entry in agents.items() if "perturbed_iqm" in entry}
    if general:
        first = max(general, key=general.__getitem__)
        lines.append(f"{first} does best in perturbed worlds: {interval(agents[first]['perturbed_iqm'])}.")
    return lines


def _cautions(content: dict[str, Any]) -> list[str]:
    """What makes the figures less certain."""
    lines = []
    failed = [row for row in content["runs"] if row["state"] == FAILED]
    if failed:
        lines.append(f"{plural(len(failed), 'run')} failed and counts as 0 in all aggregates.")
    unfinished = _unfinished(content["runs"])
    if unfinished:
        missing = ", ".join(f"{plural(count, 'run')} of {agent}" for agent, count in unfinished.items())
        lines.append(f"Not finished yet: {missing}. Agents are compared here once all their runs are there.")
    if len(content["settings"]["seeds"]) < 3:
        lines.append("Fewer than three seeds: intervals say little.")
    return lines


def _against_second(agents: dict[str, Any], improvement: dict[str, Any], best: str, second: str) -> str:
    """Whether the lead over the next agent is more than chance."""
    entry = improvement[best][second]
    if entry["low"] <= 0.5:
        verdict = "which chance may explain"
    elif min(agents[best]["runs"], agents[second]["runs"]) < RUNS_FOR_A_VERDICT:
        verdict = "of too few runs to rule out chance"
    else:
        verdict = "which is beyond chance"
    return (
        f"A run of {best} beats one of {second}, the next, with a probability of {entry['value']:.0%} "
        f"(95 % interval {entry['low']:.0%} to {entry['high']:.0%}), {verdict}."
    )
