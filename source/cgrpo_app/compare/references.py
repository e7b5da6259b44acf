# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The two returns between which scores are counted: a random policy's is 0, an expert's is 1."""

from dataclasses import dataclass

from cgrpo_app.errors import UserError


@dataclass(frozen=True)
class Reference:
    """Scale of a task's scores."""

    random: float
    """Mean return of uniformly random actions."""

    expert: float
    """Return that counts as 1."""

    expert_curve: float
    """The same on the learning curves, whose returns carry exploration noise; 90 % of it is what runs have to reach."""

    source: str
    """Where the expert comes from, for the report."""

    @property
    def is_usable(self) -> bool:
        """Whether the expert is better than random actions; without that there is no scale."""
        return self.expert > self.random and self.expert_curve > self.random

    def score(self, value: float) -> float:
        """Normalised return: 0 as a random policy, 1 as the expert."""
        return (value - self.random) / (self.expert - self.random)

    @property
    def threshold(self) -> float:
        """Return on a learning curve that is 90 % of the way from the random policy to the expert."""
        return self.random + 0.9 * (self.expert_curve - self.random)


D4RL = {
    "HalfCheetah-CGRPO": (-280.178953, 12135.0),
    "Walker2d-CGRPO": (1.629008, 4592.3),
    "Ant-CGRPO": (-325.6, 3879.7),
}
"""Returns of D4RL's random and expert (SAC) policies (Fu et al. 2020, ``d4rl/infos.py``), as (random, expert)."""


def parse_experts(items: list[str], tasks: tuple[str, ...]) -> dict[str, float]:
    """Experts that the command line names.

    Args:
        items: ``best`` for none, ``d4rl`` for the built-in ones, or ``TASK=RETURN``.
        tasks: Tasks of the comparison.

    Returns:
        Expert return by task; a task that is missing takes the best agent's.

    Raises:
        UserError: If an item is none of these.
    """
    experts: dict[str, float] = {}
    for item in items:
        task, _, value = item.partition("=")
        if item == "d4rl":
            experts |= {name: D4RL[name][1] for name in tasks if name in D4RL}
        elif item != "best":
            if task not in tasks:
                raise UserError(f"--expert {item}: give best, d4rl or TASK=RETURN with one of {', '.join(tasks)}.")
            try:
                experts[task] = float(value)
            except ValueError:
                raise UserError(f"--expert {item}: {value!r} is no number.") from None
    return experts
