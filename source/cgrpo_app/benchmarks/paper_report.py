# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Tables of the paper's experiment as Markdown."""

import itertools
from typing import Any

from cgrpo_app.benchmarks.paper_claims import Claim, Difference, claims
from cgrpo_app.benchmarks.paper_outcomes import Outcome, by_case, ends, spread
from cgrpo_app.benchmarks.paper_ratio import ratio_of_groups
from cgrpo_app.benchmarks.paper_record import Record
from cgrpo_app.benchmarks.paper_studies import ABLATIONS, FULL, GRID, GROUPS, SIMPLE, TRANSFER

TITLES = {
    "curves": "Learning curves of both policies",
    "ablation": "GRPO-Full without one component",
    "grid": "Numbers of policies and groups",
    "transfer": "Other robots",
}

INTERVAL = "(95 % interval)"


def write_tables(record: Record, pictures: list[str]) -> str:
    """Return the page.

    Args:
        record: Finished and failed trials, and what the figures depend on.
        pictures: Names of the pictures beside the page.
    """
    outcomes, failures = record.outcomes, record.failures
    sections = [
        "# The paper's experiment",
        _commands(record.made_by),
        f"{record.settings['iterations']} iterations of 2048 steps, {record.settings['num_envs']} environments."
        " [docs/paper.md](../../docs/paper.md) says what the figures mean. Returns are mean rewards per step times"
        " 1000, means over the last tenth of the iterations, learning noise included; ± is the standard deviation over"
        " seeds. In the first row they are a tenth of that, the scale of the paper's figures, from the first"
        " iteration to the last tenth.",
    ]
    if judged := claims(outcomes):
        sections.append(_claims(judged))
    tables = {"ablation": _ablation, "grid": _grid, "transfer": _transfer}
    for picture in pictures:
        name = picture.removesuffix(".svg")
        sections += [f"## {TITLES[name]}", f"![{TITLES[name]}]({picture})"]
        if name in tables:
            sections.append(tables[name](outcomes))
    if failures:
        sections += ["## Failures", _failures(failures)]
    return "\n\n".join(sections) + "\n"


def _commands(made_by: dict[str, dict[str, Any]]) -> str:
    """Which command made which studies, on how many cores."""
    studies: dict[str, list[str]] = {}
    for study, details in made_by.items():
        made = f"`{details['command']}` on {details['hardware']['cpu_cores']} cores"
        studies.setdefault(made, []).append(study)
    return "Made by\n\n" + "\n".join(f"- {made} ({', '.join(names)})" for made, names in studies.items())


def _failures(failures: list[dict[str, Any]]) -> str:
    lines = [f"- {failure['case']} seed {failure['seed']}: {failure['error']}" for failure in failures]
    return "In no table and no picture; `--retry_failed` runs them again.\n\n" + "\n".join(lines)


def _claims(judged: list[Claim]) -> str:
    rows = [[c.claim, c.paper, c.here, c.verdict] for c in judged]
    return _table(["statement of section 7.3", "paper, 1 seed", "here", "holds"], rows)


def _ablation(outcomes: list[Outcome]) -> str:
    full = ends(by_case(outcomes, FULL.name))
    rows = []
    for case in (FULL, *ABLATIONS, SIMPLE):
        if trials := by_case(outcomes, case.name):
            values = ends(trials)
            minus_full = "" if case is FULL else _minus(values, full)
            rows.append([case.name, str(len(trials)), spread(values), minus_full, _deployed(trials)])
    return _table(["case", "seeds", "final return", f"minus Full {INTERVAL}", "deployed policy, no noise"], rows)


def _grid(outcomes: list[Outcome]) -> str:
    full = ends(by_case(outcomes, FULL.name))
    rows = []
    for case in GRID:
        if trials := by_case(outcomes, case.name):
            values = ends(trials)
            minus_full = "" if case is FULL else _minus(values, full)
            best = spread([max(outcome.ends) for outcome in trials])
            numbers = [str(case.policies), str(case.groups), str(len(trials))]
            rows.append([*numbers, spread(values), minus_full, best, _deployed(trials)])
    heads = ["N", "K", "seeds", "final return, mean of policies", f"minus N=2 K=2 {INTERVAL}", "best policy"]
    return "\n\n".join([_table([*heads, "deployed policy, no noise"], rows), *_ratios(outcomes)])


def _ratios(outcomes: list[Outcome]) -> list[str]:
    """What numbers of groups are worth over all numbers of policies."""
    one, *several = GROUPS
    ratios = {groups: ratio_of_groups(outcomes, groups, one) for groups in several}
    found = [f"K={groups} ends {ratio} as high as K={one}" for groups, ratio in ratios.items() if ratio is not None]
    return [f"With the same N, {'; '.join(found)}: from the logarithms, a level for each N."] if found else []


def _transfer(outcomes: list[Outcome]) -> str:
    rows = []
    for full, simple in itertools.batched(TRANSFER, 2):
        full_returns = _episode_ends(by_case(outcomes, full.name))
        for case in (full, simple):
            if trials := by_case(outcomes, case.name):
                returns = _episode_ends(trials)
                minus_full = "" if case is full else _minus(returns, full_returns)
                rows.append([case.name, str(len(trials)), spread(returns), minus_full, _deployed(trials)])
    heads = ["case", "seeds", "episode return at the end", f"minus Full {INTERVAL}", "deployed policy, no noise"]
    return _table(heads, rows)


def _minus(values: list[float], others: list[float]) -> str:
    """Difference of the means, empty where one is missing."""
    return str(Difference.of(values, others)) if values and others else ""


def _episode_ends(trials: list[Outcome]) -> list[float]:
    return [outcome.episode_end for outcome in trials if outcome.episode_end is not None]


def _deployed(trials: list[Outcome]) -> str:
    return spread([outcome.deterministic for outcome in trials])


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
