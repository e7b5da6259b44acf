# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``curves.png``: the metrics of ``progress.csv`` that matter, in one picture."""

import csv
from pathlib import Path

from cgrpo_lab.whole_file import whole_file

RETURN = "Train/mean_reward"

PANELS = (
    ("episode return", (RETURN,)),
    ("success rate", ("Train/success",)),
    ("reward per step of the environments", ("Reward/p10", "Reward/p50", "Reward/p90")),
    ("explained variance of the baseline", ("Advantage/explained_variance",)),
    ("share of samples", ("Advantage/fallback_share", "Advantage/noise_share", "Advantage/largest_cluster_share")),
    ("KL divergence [nat]", ("Policy/kl",)),
    ("share of samples that is clipped", ("Loss/clip_fraction_low", "Loss/clip_fraction_high")),
    ("action std", ("Policy/mean_std",)),
    ("distance of policies [nat]", ("Group/policy_distance", "Group/policy_distance_min")),
    ("samples of others that count, per own one", ("Group/foreign_share",)),
    ("env steps per second", ("Perf/total_fps",)),
    ("seconds per iteration", ("Perf/collection_time", "Perf/learning_time")),
)
"""Title and columns of the table; columns, and panels, that a run does not have are left out."""

SHARES = ("success rate", "share of samples")
"""Panels that show the whole range from 0 to 1."""


def draw_curves(table: Path, picture: Path, title: str) -> None:
    """Draw the columns of :data:`PANELS` over env steps; nothing is drawn from an empty table."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # a heavy import that training itself does not need
    from matplotlib.figure import Figure

    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    panels = []
    for title_of_panel, names in PANELS:
        lines = {name: points for name in names if (points := _points(rows, name))}
        if lines:
            panels.append((title_of_panel, lines))
    if not panels:
        return
    columns = 3 if len(panels) > 2 else len(panels)
    height = -(-len(panels) // columns)
    width_in, height_in = 4.2 * columns, 2.8 * height + 0.3
    figure = Figure(figsize=(width_in, height_in))
    FigureCanvasAgg(figure)
    # Fixed margins: a layout engine, which looks for them, would draw everything twice.
    figure.subplots_adjust(
        left=0.65 / width_in,
        right=1 - 0.25 / width_in,
        bottom=0.45 / height_in,
        top=1 - 0.65 / height_in,
        wspace=0.25,
        hspace=0.4,
    )
    figure.suptitle(title, y=1 - 0.2 / height_in, va="center")
    for i, (title_of_panel, lines) in enumerate(panels):
        axes = figure.add_subplot(height, columns, i + 1)
        for name, points in lines.items():
            axes.plot(*zip(*points, strict=True), linewidth=1.2, label=name.split("/")[1])
        if len(lines) > 1:
            axes.legend(fontsize=7)
        axes.set_title(title_of_panel, fontsize=10)
        axes.set_xlabel("env steps", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        if title_of_panel in SHARES:
            axes.set_ylim(-0.02, 1.02)
    with whole_file(picture) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _points(rows: list[dict[str, str]], name: str) -> list[tuple[float, float]]:
    """Env steps and values of a column, where it has any; returns only of whole episodes, if there are two points."""
    rows = [row for row in rows if row.get(name)]
    if name == RETURN:
        # Half an episode has half the return, so a curve through both kinds would rise or fall without learning.
        whole = [row for row in rows if float(row.get("Train/shortened") or 0.0) == 0.0]
        rows = whole if len(whole) > 1 else rows
    return [(float(row["env_steps"]), float(row[name])) for row in rows]
