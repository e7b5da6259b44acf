# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The plots of a report, as SVG text that is the same for the same figures."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

COLORS = {
    "cgrpo": "#0b62a4",
    "cgrpo-full": "#38a3d1",
    "cgrpo-simple": "#8cc7e0",
    "gpg": "#2a7f62",
    "grpo": "#79b473",
    "ppo": "#e07b00",
    "sac": "#c0392b",
    "td3": "#8e5ea2",
    "trpo": "#7a5c45",
}
"""Every agent looks the same in every plot of every report; relatives have related colours."""

OTHER_COLORS = ("#444444", "#b5a300", "#d16ba5", "#5f6f86", "#00897b")

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": "#8a939c",
    "axes.labelcolor": "#39424a",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e9ec",
    "xtick.color": "#5a646d",
    "ytick.color": "#5a646d",
    "svg.hashsalt": "cgrpo",
}

PANELS = (
    ("mass", "mass"),
    ("friction", "friction"),
    ("gravity", "gravity"),
    ("actuator_gain", "actuator gain"),
    ("noise", "observation noise (std)"),
    ("delay", "action delay [control steps]"),
)
"""Perturbations as ``sim2sim.py`` names them, with their labels."""


def color(agent: str, agents: list[str]) -> str:
    """Colour of an agent; ``agents`` are all of the report, so that unknown ones differ from one another."""
    unknown = [name for name in agents if name not in COLORS]
    return COLORS.get(agent) or OTHER_COLORS[unknown.index(agent) % len(OTHER_COLORS)]


def draw(paint: Callable[[Figure], None], width: float, height: float) -> str:
    """SVG of a figure.

    Args:
        paint: Adds axes to an empty figure.
        width: Width [inch].
        height: Height [inch].
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    # Matplotlib ends most lines of a path with a blank, which the project's own checks would take out.
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def intervals(summaries: dict[str, dict[str, Any]], key: str, label: str) -> str:
    """Agents' aggregates as points with their 95 % intervals, best on top."""
    agents = sorted((name for name in summaries if summaries[name].get(key)), key=lambda a: summaries[a][key]["value"])

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for row, agent in enumerate(agents):
            entry, tone = summaries[agent][key], color(agent, list(summaries))
            axes.plot(
                [entry["low"], entry["high"]], [row, row], color=tone, linewidth=7, alpha=0.35, solid_capstyle="butt"
            )
            axes.plot(entry["value"], row, "|", color=tone, markersize=13, markeredgewidth=2.5)
        axes.set_yticks(range(len(agents)), agents)
        axes.set_ylim(-0.6, len(agents) - 0.4)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(6))

    return draw(paint, 5.2, 0.75 + 0.3 * len(agents))


def profiles(summaries: dict[str, dict[str, Any]]) -> str:
    """Performance profiles: share of runs above each score."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        curves = {name: entry["profile"] for name, entry in summaries.items() if "profile" in entry}
        _lines(axes, curves, list(summaries))
        axes.set(xlabel="score", ylabel="share of runs with more", ylim=(-0.02, 1.02))
        axes.legend(frameon=False, fontsize=8)

    return draw(paint, 5.2, 3.4)


def improvement(table: dict[str, dict[str, dict[str, float]]]) -> str:
    """Probability that the agent of the row beats the agent of the column."""
    agents = sorted(table, key=lambda name: -sum(entry["value"] for entry in table[name].values()))
    values = np.array([[table[a][b]["value"] if a != b else np.nan for b in agents] for a in agents])

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.imshow(np.ma.masked_invalid(values), cmap="RdYlGn", vmin=0.0, vmax=1.0, alpha=0.6, aspect="auto")
        for i, first in enumerate(agents):
            for j, second in enumerate(agents):
                if i != j:
                    entry = table[first][second]
                    axes.text(
                        j, i - 0.12, f"{entry['value']:.0%}", ha="center", va="center", fontsize=9, color="#1d242b"
                    )
                    span = f"{100 * entry['low']:.0f}–{100 * entry['high']:.0f}"
                    axes.text(j, i + 0.25, span, ha="center", va="center", fontsize=6, color="#1d242b")
        axes.set_xticks(range(len(agents)), agents, rotation=35, ha="right")
        axes.set_yticks(range(len(agents)), agents)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)

    return draw(paint, 5.2, 1.0 + 0.42 * len(agents))


LONG_RATIO = 4.0
"""Where one agent trains this many times as long as another, a linear axis of time would squeeze the quick ones."""


def learning_curves(cells: dict[str, dict[str, Any]], axis: str, threshold: float | None) -> str:
    """Learning curves of all agents on a task, over ``steps`` or ``seconds``."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        curves = {name: cell["curve"][axis] for name, cell in cells.items() if "curve" in cell}
        _lines(axes, curves, list(cells))
        if threshold is not None:
            axes.axhline(threshold, color="#5a646d", linewidth=0.9, linestyle=(0, (4, 3)))
            axes.annotate(
                "90 % of expert", (0.01, threshold), xycoords=("axes fraction", "data"), xytext=(0, 3),
                textcoords="offset points", fontsize=7.5, color="#5a646d",
            )  # fmt: skip
        ends = [curve["at"][-1] for curve in curves.values()]
        if axis == "seconds" and max(ends) > LONG_RATIO * min(ends):
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("env steps" if axis == "steps" else "training time [s]")
        axes.set_ylabel("episode return while learning")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short(x)))
        _label_ends(axes, curves, list(cells))

    return draw(paint, 5.2, 3.4)


def robustness(cells: dict[str, dict[str, Any]]) -> str:
    """Mean return over the strength of each perturbation."""

    def paint(figure: Figure) -> None:
        grid = figure.subplots(2, 3, sharey=True)
        for axes, (kind, label) in zip(grid.flat, PANELS, strict=True):
            for agent, cell in cells.items():
                points = perturbation_curve(cell.get("perturbed") or {}, kind)
                if points:
                    tone = color(agent, list(cells))
                    axes.plot(*zip(*points, strict=True), "o-", color=tone, markersize=3.2, linewidth=1.4, label=agent)
            axes.set_xlabel(label)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=kind == "delay"))
        for axes in grid[:, 0]:
            axes.set_ylabel("return")
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 5), frameon=False, fontsize=8)

    return draw(paint, 9.2, 5.2)


def perturbation_curve(perturbed: dict[str, float], kind: str) -> list[tuple[float, float]]:
    """Points (strength, return) of one kind of perturbation, the unperturbed world among them.

    Args:
        perturbed: Return by name, such as ``mass x0.8``, ``delay 1``, ``none``.
        kind: ``noise``, ``delay`` or the parameter's name.
    """
    if "none" not in perturbed:
        return []
    is_level = kind in ("noise", "delay")
    points = [(0.0 if is_level else 1.0, perturbed["none"])]
    for name, value in perturbed.items():
        if name.startswith(f"{kind} "):
            points.append((float(name.split()[-1].removeprefix("x")), value))
    return sorted(points) if len(points) > 1 else []


def short(number: float) -> str:
    """A large number in few characters: 250k, 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def _lines(axes: Axes, curves: dict[str, dict[str, list[float]]], agents: list[str]) -> None:
    """Curves with their intervals."""
    for agent, curve in curves.items():
        tone = color(agent, agents)
        axes.fill_between(curve["at"], curve["low"], curve["high"], color=tone, alpha=0.16, linewidth=0)
        axes.plot(curve["at"], curve["mean"], color=tone, linewidth=1.7, label=agent)


def _label_ends(axes: Axes, curves: dict[str, dict[str, list[float]]], agents: list[str]) -> None:
    """Names beside the ends of the curves, pushed apart where ends are close."""
    low, high = axes.get_ylim()
    right = max(curve["at"][-1] for curve in curves.values())
    axes.set_xlim(right=right)
    names = sorted(curves, key=lambda name: curves[name]["mean"][-1])
    heights = push_apart([curves[name]["mean"][-1] for name in names], 0.062 * (high - low), high)
    for name, height in zip(names, heights, strict=True):
        axes.annotate(
            name, (right, height), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8,
            color=color(name, agents), annotation_clip=False,
        )  # fmt: skip


def push_apart(heights: list[float], distance: float, highest: float) -> list[float]:
    """Move ascending heights up where they are closer than ``distance``, then down where they pass ``highest``."""
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + distance) if moved else height)
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], highest - (len(moved) - 1 - i) * distance)
    return moved
