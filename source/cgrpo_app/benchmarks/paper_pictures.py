# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Pictures of the paper's experiment, as SVG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cgrpo_app.benchmarks.paper_claims import PAPER_SCALE
from cgrpo_app.benchmarks.paper_outcomes import CURVE_ITERATIONS, Outcome, by_case, ends, spread
from cgrpo_app.benchmarks.paper_studies import ABLATIONS, BATCH_STEPS, FULL, GRID, GROUPS, POLICIES, SIMPLE, TRANSFER
from cgrpo_app.compare.figures import draw
from cgrpo_lab.whole_file import whole_file

POLICY_COLORS = ("#1f77b4", "#ff7f0e")
"""Policies 1 and 2 as in the paper's figure 1."""

VARIANT_COLORS = ("#0b62a4", "#8a8f94")
"""Full and Simple where policies are not told apart."""

RETURN_LABEL = "return per 1000 steps"


def draw_pictures(outcomes: list[Outcome], folder: Path) -> list[str]:
    """Draw what there are outcomes for.

    Args:
        outcomes: Finished trials.
        folder: Folder to write into.

    Returns:
        Names of the files written.
    """
    studies = {outcome.study for outcome in outcomes}
    pictures = {"curves": (_curves, 9.2, 3.6)} if "main" in studies else {}
    if "ablation" in studies:
        pictures["ablation"] = (_ablation, 7.2, 3.6)
    if "grid" in studies:
        pictures["grid"] = (_grid, 5.2, 3.8)
    if "transfer" in studies:
        pictures["transfer"] = (_transfer, 9.2, 3.4)
    for name, (paint, width, height) in pictures.items():
        with whole_file(folder / f"{name}.svg") as temporary:
            temporary.write_text(draw(lambda figure, paint=paint: paint(figure, outcomes), width, height))
    return [f"{name}.svg" for name in pictures]


def _curves(figure: Figure, outcomes: list[Outcome]) -> None:
    """Both policies of both variants: every seed thin, the mean thick."""
    grid = figure.subplots(1, 2, sharey=True)
    for axes, case, title in zip(grid, (FULL, SIMPLE), ("GRPO-Full", "GRPO-Simple"), strict=True):
        trials = by_case(outcomes, case.name)
        for i, color in enumerate(POLICY_COLORS):
            _draw_curves(axes, [outcome.curves[i] for outcome in trials], color, f"policy {i + 1}")
        axes.set(title=f"{title}, {len(trials)} seeds", xlabel=f"iteration of {BATCH_STEPS} steps")
    grid[0].set_ylabel(RETURN_LABEL)
    grid[0].legend(frameon=False)
    scale = grid[1].secondary_yaxis("right", functions=(lambda y: PAPER_SCALE * y, lambda y: y / PAPER_SCALE))
    scale.set_ylabel("discounted return (the paper's scale, as we read it)", fontsize=7.5)


def _ablation(figure: Figure, outcomes: list[Outcome]) -> None:
    """Final returns, every seed a dot, the mean a line."""
    axes = figure.add_subplot()
    names = [FULL.name, *(case.name for case in ABLATIONS), SIMPLE.name]
    names = [name for name in names if by_case(outcomes, name)]
    for row, name in enumerate(reversed(names)):
        values = ends(by_case(outcomes, name))
        color = VARIANT_COLORS[0] if name == FULL.name else VARIANT_COLORS[1]
        axes.plot(values, [row] * len(values), "o", color=color, markersize=5, alpha=0.6, markeredgewidth=0)
        axes.plot([np.mean(values)], [row], "|", color=color, markersize=18, markeredgewidth=2.5)
    axes.set_yticks(range(len(names)), list(reversed(names)))
    axes.set_xlabel(f"final {RETURN_LABEL}, mean of both policies")


def _grid(figure: Figure, outcomes: list[Outcome]) -> None:
    """Mean and standard deviation of the final returns over numbers of policies and groups."""
    axes = figure.add_subplot()
    means = np.full((len(GROUPS), len(POLICIES)), np.nan)
    for case in GRID:
        if values := ends(by_case(outcomes, case.name)):
            row, column = GROUPS.index(case.groups), POLICIES.index(case.policies)
            means[row, column] = np.mean(values)
            axes.text(column, row, spread(values).replace(" ", "\n", 1), ha="center", va="center")
    axes.imshow(np.ma.masked_invalid(means), cmap="YlGnBu", alpha=0.6, aspect="auto")
    axes.set_xticks(range(len(POLICIES)), [f"N = {n}" for n in POLICIES])
    axes.set_yticks(range(len(GROUPS)), [f"K = {k}" for k in GROUPS])
    axes.set_title(f"final {RETURN_LABEL}, mean of all policies", fontsize=9)
    axes.grid(visible=False)


def _transfer(figure: Figure, outcomes: list[Outcome]) -> None:
    """Episode returns of both variants on the other robots."""
    tasks = list(dict.fromkeys(case.task for case in TRANSFER))
    for axes, task in zip(figure.subplots(1, len(tasks)), tasks, strict=True):
        for case, color in zip((case for case in TRANSFER if case.task == task), VARIANT_COLORS, strict=True):
            _draw_curves(axes, [outcome.episode_curve for outcome in by_case(outcomes, case.name)], color, case.agent)
        axes.set(title=task.removesuffix("-CGRPO"), xlabel="iteration", ylabel="episode return while learning")
        axes.legend(frameon=False)


def _draw_curves(axes: Axes, curves: Sequence[Sequence[float | None]], color: str, label: str) -> None:
    """Every seed thin, their mean thick, where each has a value."""
    if not curves:
        return
    values = np.array(curves, dtype=float)
    iterations = CURVE_ITERATIONS * np.arange(1, values.shape[1] + 1)
    axes.plot(iterations, values.T, color=color, linewidth=0.6, alpha=0.4)
    axes.plot(iterations, values.mean(axis=0), color=color, linewidth=2.0, label=label)
