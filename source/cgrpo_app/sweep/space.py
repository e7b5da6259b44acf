# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a sweep varies, and how a choice becomes Hydra overrides."""

import json
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from cgrpo_app.errors import UserError

OPTIONS = "agent.algorithm.estimator_options"
CLUSTERING = f"{OPTIONS}.clustering_options"

GROUPS: dict[str, BaseDistribution] = {
    "agent.algorithm.num_policies": CategoricalDistribution([1, 2, 4, 8]),
    "agent.algorithm.num_groups": CategoricalDistribution([1, 2, 4]),
    "agent.algorithm.clip_param": FloatDistribution(0.05, 0.4),
    "agent.algorithm.smoothness_coef": FloatDistribution(1e-4, 1e-1, log=True),
    "agent.algorithm.diversity_coef": FloatDistribution(1e-4, 1e-1, log=True),
    "agent.algorithm.diversity_threshold": FloatDistribution(0.0, 0.9),
}
"""The paper's N, K, epsilon_base, lambda_s, lambda_d and tau."""

CLUSTERS: dict[str, BaseDistribution] = {
    f"{CLUSTERING}.eps_quantile": FloatDistribution(0.1, 0.9),
    f"{CLUSTERING}.min_samples": IntDistribution(3, 40, log=True),
    f"{CLUSTERING}.num_dims": CategoricalDistribution([2, 4, 8]),
}
"""DBSCAN's epsilon, as a quantile that fits every task, its minPts, and the number of state features it clusters."""

LEAST_SQUARES: dict[str, BaseDistribution] = {
    f"{OPTIONS}.lam": FloatDistribution(0.8, 1.0),
    f"{OPTIONS}.num_cosines": CategoricalDistribution([64, 128, 256, 512, 1024]),
    f"{OPTIONS}.bandwidth": FloatDistribution(0.25, 2.0, log=True),
}
"""Lambda, and number and width of the features of the closed-form baseline: the more, the narrower."""

BUILT_IN = {
    "cgrpo": {**GROUPS, **LEAST_SQUARES},
    "cgrpo-full": {**GROUPS, **CLUSTERS},
    "cgrpo-simple": {**GROUPS, **CLUSTERS},
    "gpg": GROUPS,
    # More policies than two leave too few environments of each for start groups of eight.
    "grpo": {**GROUPS, "agent.algorithm.num_policies": CategoricalDistribution([1, 2])},
}
"""Space by agent where ``--search`` names none."""

NAMED_VALUES = {"true": True, "false": False, "none": None, "null": None}
"""Values that Isaac Lab reads in any case of letters."""

GRID_POINTS = 3
"""Values that a grid takes from a range."""


@dataclass(frozen=True)
class Space:
    """Settings by their override key."""

    parameters: dict[str, BaseDistribution]

    def overrides(self, choice: dict[str, Any]) -> list[str]:
        """Hydra overrides of a choice, made valid: no more groups than policies, no diversity of a single group."""
        values = dict(choice)
        policies, groups = "agent.algorithm.num_policies", "agent.algorithm.num_groups"
        if policies in values and groups in values:
            values[groups] = min(values[groups], values[policies])
        if values.get(groups) == 1 and "agent.algorithm.diversity_coef" in values:
            values["agent.algorithm.diversity_coef"] = 0.0
        plain = {key: value for key, value in values.items() if not key.startswith(OPTIONS)}
        nested = _nest({key: value for key, value in values.items() if key.startswith(OPTIONS)})
        return [f"{key}={_text(value)}" for key, value in (plain | nested).items()]

    def example(self) -> dict[str, Any]:
        """One choice: the first value of each setting."""
        return {key: _points(distribution)[0] for key, distribution in self.parameters.items()}

    def grid(self) -> list[dict[str, Any]]:
        """All combinations, of ranges a few evenly spaced values each; of those made equal the first."""
        choices: list[dict[str, Any]] = [{}]
        for key, distribution in self.parameters.items():
            choices = [{**choice, key: value} for choice in choices for value in _points(distribution)]
        different: dict[tuple[str, ...], dict[str, Any]] = {}
        for choice in choices:
            different.setdefault(tuple(self.overrides(choice)), choice)
        return list(different.values())


def parse_space(agent: str, items: list[str]) -> Space:
    """Space of the command line, or the agent's own.

    Args:
        agent: Short name of the agent.
        items: ``KEY=a,b,c`` for choices, ``KEY=low:high`` for a range, ``KEY=low:high:log`` for a logarithmic one; a
            key that begins with neither ``agent.`` nor ``env.`` is one of ``agent.algorithm``.

    Raises:
        UserError: If an item is none of these, or there is no item and no built-in space.
    """
    if not items and agent not in BUILT_IN:
        raise UserError(
            f"--agent {agent}: has no built-in space; name settings with --search, such as learning_rate=1e-4:1e-3:log."
        )
    return Space(dict(map(_parse, items)) if items else BUILT_IN[agent])


def short_name(key: str) -> str:
    """Last part of an override's key."""
    return key.rsplit(".", 1)[-1]


def _parse(item: str) -> tuple[str, BaseDistribution]:
    """One item of ``--search``."""
    key, _, text = item.partition("=")
    key = key if key.startswith(("agent.", "env.")) else f"agent.algorithm.{key}"
    parts = text.split(":")
    try:
        if len(parts) == 1 and "," in text:
            return key, CategoricalDistribution([_value(part) for part in text.split(",")])
        low, high = (_value(part) for part in parts[:2])
        kind = IntDistribution if isinstance(low, int) and isinstance(high, int) else FloatDistribution
        if len(parts) == 2 or parts[2:] == ["log"]:
            return key, kind(low, high, log=len(parts) == 3)
    except (ValueError, TypeError):
        pass
    raise UserError(
        f"--search {item}: give KEY=a,b,c or KEY=low:high or KEY=low:high:log; an override of all trials stands before "
        "--search."
    )


def _value(text: str) -> int | float | bool | str | None:
    """A value as Isaac Lab would read it."""
    if text.lower() in NAMED_VALUES:
        return NAMED_VALUES[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _points(distribution: BaseDistribution) -> list[Any]:
    """Values of a grid."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    shares = [i / (GRID_POINTS - 1) for i in range(GRID_POINTS)]
    low, high = distribution.low, distribution.high
    values = [low * (high / low) ** s if distribution.log else low + (high - low) * s for s in shares]
    if isinstance(distribution, IntDistribution):
        return sorted({round(value) for value in values})
    return values


def _nest(values: dict[str, Any]) -> dict[str, Any]:
    """One override for the whole dictionary of options: what lies deeper in it is no field that Hydra could reach."""
    if not values:
        return {}
    options: dict[str, Any] = {}
    for key, value in values.items():
        *folders, name = key.removeprefix(f"{OPTIONS}.").split(".")
        place = options
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = _rounded(value)
    return {OPTIONS: options}


def _rounded(value: Any) -> Any:
    """A float with six significant digits, so that what is tried is what can be pasted."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _text(value: Any) -> str:
    """A value as Isaac Lab reads overrides."""
    return _literal(value) if isinstance(value, dict) else str(_rounded(value))


def _literal(value: Any) -> str:
    """Python's literal, which knows ``True`` and ``None``; its quotes are double, as a shell's go around it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    return json.dumps(value) if isinstance(value, str) else repr(value)
