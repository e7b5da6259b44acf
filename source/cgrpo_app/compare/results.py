# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""From records of runs to the figures of the report: per run, per task and agent, and over all tasks."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cgrpo_app.compare import metrics, statistics
from cgrpo_app.compare.records import FAILED, FINISHED, UNFINISHED, Record
from cgrpo_app.compare.references import D4RL, Reference

CURVE_POINTS = 100
LEVEL_POINTS = 121
"""Points of a performance profile."""

FAILED_SCORE = 0.0
"""Score of a failed run in aggregates: that of random actions. Leaving it out would reward agents that break down."""


@dataclass
class Comparison:
    """All records with the scale of each task."""

    records: list[Record]
    tasks: tuple[str, ...]
    agents: tuple[str, ...]
    references: dict[str, Reference]
    """By task; a task whose scale cannot be told (no finished run, no agent better than random) is missing."""

    def select(self, task: str, agent: str, state: str | None = None) -> list[Record]:
        """Records of one task and agent, in one state if it is given."""
        chosen = [r for r in self.records if (r.task, r.agent) == (task, agent)]
        return [r for r in chosen if state in (None, r.state)]


def find_references(
    records: list[Record], tasks: tuple[str, ...], randoms: dict[str, float], experts: dict[str, float]
) -> dict[str, Reference]:
    """Scale of each task: D4RL's or the measured random policy, and the given or the best agent's return.

    Args:
        records: All runs.
        tasks: Task ids.
        randoms: Measured returns of random actions, for tasks that D4RL does not know.
        experts: Experts given by the user.
    """
    references = {}
    for task in tasks:
        finished = [r for r in records if r.task == task and r.state == FINISHED]
        random = D4RL[task][0] if task in D4RL else randoms.get(task)
        if random is None or not finished:
            continue
        final, curve, best = _best_agent(finished)
        if task in experts:
            source = "D4RL's SAC expert" if task in D4RL and experts[task] == D4RL[task][1] else "given"
            reference = Reference(random, experts[task], experts[task], source)
        else:
            reference = Reference(random, final, curve, f"best agent here ({best})")
        if reference.is_usable:
            references[task] = reference
    return references


def _best_agent(finished: list[Record]) -> tuple[float, float, str]:
    """Best mean return of final policies, the mean end of the same agent's learning curves, and its name."""
    by_agent: dict[str, list[Record]] = {}
    for record in finished:
        by_agent.setdefault(record.agent, []).append(record)
    final = {name: float(np.mean([r.evaluation["return"]["mean"] for r in rs])) for name, rs in by_agent.items()}
    best = max(final, key=final.__getitem__)
    curve = np.mean([metrics.last_part(r.curve.steps, r.curve.returns).mean() for r in by_agent[best]])
    return final[best], float(curve), best


def measure_run(record: Record, reference: Reference | None) -> dict[str, Any]:
    """Metrics of one run; None where a figure does not exist (not reached, not measured, not finished)."""
    row: dict[str, Any] = {
        "task": record.task,
        "agent": record.agent,
        "seed": record.seed,
        "state": record.state,
        "error": record.error,
        "command": record.command,
    }
    if record.state != FINISHED:
        return row
    ends = metrics.last_part(record.curve.steps, record.curve.returns)
    row |= {
        "env_steps": record.report["env_steps"],
        "training_time_s": record.report["training_time_s"],
        "episodes": record.evaluation["episodes"],
        "return": record.evaluation["return"]["mean"],
        "return_std": record.evaluation["return"]["std"],
        "success": record.evaluation.get("success", {}).get("rate"),
        "last_part_return": float(ends.mean()),
        "last_part_std": metrics.sample_std(ends),
    }
    if reference is not None:
        row["score"] = reference.score(row["return"])
        # A part of an episode, as training at random ages begins with, has less of a reward, or less of a penalty.
        returns = np.where(record.curve.whole, record.curve.returns, -np.inf)
        row["steps_to_90"] = _finite(metrics.first_reaching(reference.threshold, returns, record.curve.steps))
        row["seconds_to_90"] = _finite(metrics.first_reaching(reference.threshold, returns, record.curve.seconds))
    if record.perturbed is not None:
        row["perturbed"] = record.perturbed
        row |= _generalisation(record.perturbed, reference)
    return row


def _generalisation(perturbed: dict[str, float], reference: Reference | None) -> dict[str, float | None]:
    """Mean score over the perturbed worlds, and the share of the unperturbed world's score that it keeps."""
    if reference is None:
        return {}
    scores = [reference.score(value) for name, value in perturbed.items() if name != "none"]
    mean, nominal = float(np.mean(scores)), reference.score(perturbed["none"])
    return {"perturbed_score": mean, "retained": mean / nominal if nominal > 0.0 else None}


def summarize_cell(comparison: Comparison, rows: list[dict[str, Any]], task: str, agent: str) -> dict[str, Any]:
    """Metrics of one agent on one task over its runs."""
    mine = [row for row in rows if (row["task"], row["agent"]) == (task, agent)]
    done = [row for row in mine if row["state"] == FINISHED]
    judged = len([row for row in mine if row["state"] != UNFINISHED])
    cell: dict[str, Any] = {"runs": len(mine), "finished": len(done), "failed": judged - len(done)}
    if not done:
        return cell
    returns = np.array([row["return"] for row in done])
    cell |= {
        "return": float(returns.mean()),
        "return_min": float(returns.min()),
        "return_max": float(returns.max()),
        "std_between_runs": metrics.sample_std(returns),
        "std_within_runs": _mean(done, "last_part_std"),
        "training_time_s": _mean(done, "training_time_s"),
        "success": _mean(done, "success"),
        "perturbed_score": _mean(done, "perturbed_score"),
        "retained": _mean(done, "retained"),
        "perturbed": _mean_perturbed(done),
        "curve": _curves(comparison.select(task, agent, FINISHED)),
    }
    if task in comparison.references:
        cell["score"] = _mean(done, "score")
        for name in ("steps_to_90", "seconds_to_90"):
            reached = [row[name] for row in done if row[name] is not None]
            cell[name] = _finite(metrics.median_with_failures(reached, judged))
        cell["reached"] = len([row for row in done if row["steps_to_90"] is not None])
    return cell


def _curves(records: list[Record]) -> dict[str, dict[str, list[float]]]:
    """Learning curves over steps and over time: interquartile mean and its interval where all runs have values."""
    curves = {}
    drawn = [record.curve.drawn() for record in records]
    for axis in ("steps", "seconds"):
        at = [getattr(curve, axis) for curve in drawn]
        grid = np.linspace(max(x[0] for x in at), min(x[-1] for x in at), CURVE_POINTS)
        values = np.array([np.interp(grid, x, curve.returns) for x, curve in zip(at, drawn, strict=True)])
        middle = statistics.interquartile_curve(values)
        low, high = statistics.band(statistics.interquartile_curve, values) if len(values) > 1 else (middle, middle)
        curves[axis] = {"at": grid.tolist(), "mean": middle.tolist(), "low": low.tolist(), "high": high.tolist()}
    return curves


def summarize_agent(comparison: Comparison, rows: list[dict[str, Any]], agent: str) -> dict[str, Any]:
    """Metrics of one agent over all tasks that have a scale; failed runs count with the score of random actions."""
    scores = scores_by_task(comparison, rows, agent, "score")
    mine = [row for row in rows if row["agent"] == agent and row["task"] in comparison.references]
    judged = [row for row in mine if row["state"] != UNFINISHED]
    reached = [row["steps_to_90"] for row in judged if row.get("steps_to_90") is not None]
    summary = {
        "runs": len(judged),
        "failed": len([row for row in judged if row["state"] == FAILED]),
        "reached": len(reached),
        "steps_to_90": _finite(metrics.median_with_failures(reached, len(judged))) if judged else None,
    }
    if scores is not None:
        summary["iqm"] = asdict(statistics.estimate(statistics.interquartile_mean, *scores))
        summary["std_between_runs"] = _mean_of([metrics.sample_std(task) for task in scores])
        levels = np.linspace(0.0, max(1.2, *(row["score"] for row in rows if "score" in row)), LEVEL_POINTS)
        profile = statistics.performance_profile(scores, levels)
        low, high = statistics.band(lambda *drawn: statistics.performance_profile(drawn, levels), *scores)
        summary["profile"] = {
            "at": levels.tolist(),
            "mean": profile.tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
        }
    summary["std_within_runs"] = _within(comparison, judged)
    perturbed = scores_by_task(comparison, rows, agent, "perturbed_score")
    if perturbed is not None:
        summary["perturbed_iqm"] = asdict(statistics.estimate(statistics.interquartile_mean, *perturbed))
    return summary


def scores_by_task(comparison: Comparison, rows: list[dict[str, Any]], agent: str, key: str) -> list[np.ndarray] | None:
    """Scores of an agent's runs by task; None unless all are there, on every task on which anybody has this score.

    Means and intervals over other seeds and tasks than those of other agents could not be compared with theirs.
    """
    tasks = [
        task for task in comparison.references if any(row["task"] == task and row.get(key) is not None for row in rows)
    ]
    scores = []
    for task in tasks:
        mine = [row for row in rows if (row["task"], row["agent"]) == (task, agent)]
        if not mine or any(row["state"] == UNFINISHED for row in mine):
            return None
        scores.append(np.array([FAILED_SCORE if row["state"] == FAILED else row[key] for row in mine]))
    return scores or None


def improvements(comparison: Comparison, rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Probability that a run of the one agent beats one of the other, for all pairs."""
    scores = {agent: scores_by_task(comparison, rows, agent, "score") for agent in comparison.agents}
    table: dict[str, dict[str, dict[str, float]]] = {}
    for first, mine in scores.items():
        for second, other in scores.items():
            if mine is not None and other is not None and first != second:
                split = len(mine)
                table.setdefault(first, {})[second] = asdict(
                    statistics.estimate(
                        lambda *drawn, n=split: statistics.probability_of_improvement(drawn[:n], drawn[n:]),
                        *mine,
                        *other,
                    )
                )
    return table


def _within(comparison: Comparison, judged: list[dict[str, Any]]) -> float | None:
    """Mean over finished runs of the spread within their last tenth, in scores."""
    spreads = []
    for row in judged:
        if row.get("last_part_std") is not None:
            reference = comparison.references[row["task"]]
            spreads.append(row["last_part_std"] / (reference.expert - reference.random))
    return _mean_of(spreads)


def _mean(rows: list[dict[str, Any]], key: str) -> float | None:
    """Mean of a figure over the rows that have it."""
    return _mean_of([row.get(key) for row in rows])


def _mean_of(values: list[float | None]) -> float | None:
    """Mean of the values that exist; None if there is none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _mean_perturbed(rows: list[dict[str, Any]]) -> dict[str, float] | None:
    """Mean return by perturbation over the runs that were judged."""
    judged = [row["perturbed"] for row in rows if "perturbed" in row]
    return {name: float(np.mean([run[name] for run in judged])) for name in judged[0]} if judged else None


def _finite(value: float) -> float | None:
    """The value, or None for infinity, which JSON does not know."""
    return value if np.isfinite(value) else None
