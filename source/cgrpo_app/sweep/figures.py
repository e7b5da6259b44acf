# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The plots of a sweep's report."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from optuna.distributions import BaseDistribution, CategoricalDistribution

from cgrpo_app.compare.figures import draw, short
from cgrpo_app.sweep.space import short_name

BINS = 5
"""Cells of a heat map along a range."""


@dataclass(frozen=True)
class Surface:
    """Means of a figure over the cells of two settings."""

    labels: tuple[list[str], list[str]]
    """Names of the rows and of the columns."""

    values: np.ndarray
    """Shape [rows, columns]; NaN where there is no trial."""


def surface(
    rows: list[dict[str, Any]], keys: tuple[str, str], parameters: dict[str, BaseDistribution], figure: str
) -> Surface:
    """Mean of a figure over the trials that fall into each cell.

    Args:
        rows: Finished trials with ``params`` and the figure.
        keys: Settings of the vertical and the horizontal axis.
        parameters: Their ranges.
        figure: Key of the figure.
    """
    placed = [_place([row["params"][key] for row in rows], parameters[key]) for key in keys]
    labels = (placed[0][1], placed[1][1])
    values = np.full((len(labels[0]), len(labels[1])), np.nan)
    for i in range(len(labels[0])):
        for j in range(len(labels[1])):
            inside = [
                row[figure] for row, a, b in zip(rows, placed[0][0], placed[1][0], strict=True) if (a, b) == (i, j)
            ]
            if inside:
                values[i, j] = np.mean(inside)
    return Surface(labels, values)


def heat_map(map_: Surface, keys: tuple[str, str], label: str, palette: str) -> str:
    """A surface as coloured cells with their values."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        image = axes.imshow(np.ma.masked_invalid(map_.values), cmap=palette, aspect="auto", origin="lower", alpha=0.85)
        for (i, j), value in np.ndenumerate(map_.values):
            if np.isfinite(value):
                red, green, blue, _ = image.cmap(image.norm(value))
                dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
                axes.text(
                    j, i, short(value), ha="center", va="center", fontsize=8, color="white" if dark else "#1d242b"
                )
        axes.set_yticks(range(len(map_.labels[0])), map_.labels[0])
        axes.set_xticks(range(len(map_.labels[1])), map_.labels[1])
        axes.set(ylabel=short_name(keys[0]), xlabel=short_name(keys[1]))
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, label=label)

    return draw(paint, 5.2, 3.4)


def importances(shares: dict[str, float]) -> str:
    """How much of the spread of performance each setting explains."""
    names = list(reversed(shares))

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.barh(range(len(names)), [shares[name] for name in names], color="#0b62a4", height=0.6)
        axes.set_yticks(range(len(names)), map(short_name, names))
        axes.set_xlabel("share of the spread of returns")
        axes.grid(axis="y", visible=False)

    return draw(paint, 5.2, 0.9 + 0.3 * len(names))


def trade_off(rows: list[dict[str, Any]], front: list[int]) -> str:
    """Every finished trial by return and stability; ``front`` holds the numbers of those that no other one beats."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot([r["std"] for r in rows], [r["return"] for r in rows], "o", color="#8a939c", markersize=4, alpha=0.7)
        best = sorted((row["std"], row["return"], row["number"]) for row in rows if row["number"] in front)
        axes.plot([b[0] for b in best], [b[1] for b in best], "o-", color="#c0392b", markersize=5, linewidth=1.2)
        for std, value, number in best:
            axes.annotate(str(number), (std, value), xytext=(5, 4), textcoords="offset points", fontsize=8)
        axes.set(xlabel="standard deviation within the last tenth (less is steadier)", ylabel="return")

    return draw(paint, 5.2, 3.4)


def history(rows: list[dict[str, Any]]) -> str:
    """Return of the trials in their order, and the best so far."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        ordered = sorted(rows, key=lambda row: row["number"])
        numbers, values = [row["number"] for row in ordered], [row["return"] for row in ordered]
        axes.plot(numbers, values, "o", color="#8a939c", markersize=4, label="trial")
        axes.plot(numbers, np.maximum.accumulate(values), color="#0b62a4", drawstyle="steps-post", label="best so far")
        axes.set(xlabel="trial", ylabel="return")
        axes.legend(frameon=False, fontsize=8)

    return draw(paint, 5.2, 3.4)


def _place(values: list[Any], distribution: BaseDistribution) -> tuple[list[int], list[str]]:
    """Cell of each value along an axis, and the cells' labels."""
    if isinstance(distribution, CategoricalDistribution):
        choices = list(distribution.choices)
        return [choices.index(value) for value in values], [str(choice) for choice in choices]
    low, high = distribution.low, distribution.high
    edges = np.geomspace(low, high, BINS + 1) if distribution.log else np.linspace(low, high, BINS + 1)
    cells = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1)
    middles = np.sqrt(edges[:-1] * edges[1:]) if distribution.log else (edges[:-1] + edges[1:]) / 2.0
    return cells.tolist(), [f"{middle:.2g}" for middle in middles]
