# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The cost of learning against each factor of the paper's complexity, O(N T (d_phi K + d_s + d_theta))."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import torch

from cgrpo_app.benchmarks.learning_case import Case, run
from cgrpo_app.errors import UserError
from cgrpo_lab.whole_file import whole_file

STEPS = 5
"""Sizes of each factor, each twice the one before."""


def measure(base: Case) -> dict[str, dict[str, Any]]:
    """Measure one factor after the other, in this process on one thread, and print what was found.

    Args:
        base: The smallest case.

    Returns:
        By factor: its sizes, the seconds of an iteration's learning at each, and the slopes of a straight line through
        them on a log-log plot: through all, and through the upper half, where fixed costs weigh least.
    """
    torch.set_num_threads(1)  # as every case has: processor time counts what threads spend on waiting for one another
    factors = {
        "policies N (samples of each fixed)": [_policies(base, 2**i) for i in range(STEPS)],
        "steps T": [
            (base.num_steps * 2**i, dataclasses.replace(base, num_steps=base.num_steps * 2**i)) for i in range(STEPS)
        ],
        "parameters d": [_hidden(base, 2**i) for i in range(STEPS)],
        "groups K (of 16 policies)": [_groups(base, 2**i) for i in range(STEPS)],
    }
    # Processor time: other load on the machine does not count.
    timed = "seconds" if base.device.startswith("cuda") else "cpu_seconds"
    found = {}
    for factor, cases in factors.items():
        sizes = [size for size, _ in cases]
        seconds = [min(each[timed] for each in run(case)) for _, case in cases]
        half = (len(sizes) - 1) // 2
        found[factor] = {
            "sizes": sizes,
            "seconds": seconds,
            "slope": slope(sizes, seconds),
            "upper_slope": slope(sizes[half:], seconds[half:]),
        }
        times = "  ".join(f"{size}: {second:.3f} s" for size, second in zip(sizes, seconds, strict=True))
        slopes = f"slope {found[factor]['slope']:5.2f}, upper {found[factor]['upper_slope']:5.2f}"
        print(f"{factor:<36} {slopes}   {times}", flush=True)
    return found


def slope(sizes: list[int], seconds: list[float]) -> float:
    """Exponent ``a`` of ``seconds ~ size^a``, by least squares on the logarithms."""
    x, y = [math.log(size) for size in sizes], [math.log(second) for second in seconds]
    middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True))
    return above / sum((a - middle_x) ** 2 for a in x)


def draw(factors: dict[str, dict[str, Any]], picture: Path) -> None:
    """Draw what :func:`measure` found, one panel a factor.

    Args:
        factors: What was found.
        picture: PNG file; its folder is made.

    Raises:
        UserError: If it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # a heavy import that measuring does not need
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(factors), 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    for i, (factor, found) in enumerate(factors.items()):
        axes = figure.add_subplot(1, len(factors), i + 1)
        axes.loglog(found["sizes"], found["seconds"], "o-", color="tab:blue", base=2)
        last = found["seconds"][-1] / found["sizes"][-1]
        axes.loglog(
            found["sizes"], [last * size for size in found["sizes"]], "--", color="0.6", base=2, label="slope 1"
        )
        axes.set_title(f"{factor}: slope {found['upper_slope']:.2f}", fontsize=9)
        axes.set_ylabel("learning per iteration [s]" if i == 0 else "", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(picture) as temporary:
            figure.savefig(temporary, format="png", dpi=110)
    except OSError as error:
        raise UserError(f"--picture {picture}: cannot be written ({error.strerror}); choose another place.") from error


def _policies(base: Case, count: int) -> tuple[int, Case]:
    """As many policies, each with the samples of the base case."""
    return count, dataclasses.replace(base, num_policies=count, num_envs=count * base.num_envs)


def _steps(base: Case, factor: int) -> tuple[int, Case]:
    """Rollouts so many times as long."""
    return base.num_steps * factor, dataclasses.replace(base, num_steps=base.num_steps * factor)


def _groups(base: Case, count: int) -> tuple[int, Case]:
    """Sixteen policies in as many groups."""
    return count, dataclasses.replace(base, num_policies=16, num_envs=16 * base.num_envs, num_groups=count)


def _hidden(base: Case, factor: int) -> tuple[int, Case]:
    """Hidden layers so many times as wide, and the number of parameters that makes."""
    width = base.hidden * factor
    parameters = (base.obs_dim + 1) * width + (width + 1) * width + (width + 2) * base.action_dim
    return parameters, dataclasses.replace(base, hidden=width)
