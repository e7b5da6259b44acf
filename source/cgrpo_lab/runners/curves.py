# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``curves.png``: the metrics of ``progress.csv`` that matter, in one picture."""

import csv
from pathlib import Path

from cgrpo_lab.whole_file import whole_file

PANELS = (
    ("Train/mean_reward", "episode return"),
    ("Train/success", "success rate"),
    ("Policy/kl", "KL divergence [nat]"),
    ("Policy/mean_std", "action std"),
    ("Advantage/explained_variance", "explained variance of the baseline"),
    ("Perf/total_fps", "env steps per second"),
)
"""Column of the table and title; columns that a run does not have are left out."""


def draw_curves(table: Path, picture: Path, title: str) -> None:
    """Draw the columns of :data:`PANELS` over env steps; nothing is drawn from an empty table."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # a heavy import that training itself does not need
    from matplotlib.figure import Figure

    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    panels = [(name, label) for name, label in PANELS if rows and any(row.get(name) for row in rows)]
    if not panels:
        return
    columns = 3 if len(panels) > 2 else len(panels)
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.8 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for i, (name, label) in enumerate(panels):
        points = [(float(row["env_steps"]), float(row[name])) for row in rows if row.get(name)]
        axes = figure.add_subplot(lines, columns, i + 1)
        axes.plot(*zip(*points, strict=True), color="tab:blue", linewidth=1.2)
        axes.set_title(label, fontsize=10)
        axes.set_xlabel("env steps", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        if name == "Train/success":
            axes.set_ylim(-0.02, 1.02)
    with whole_file(picture) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
