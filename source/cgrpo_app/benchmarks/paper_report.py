# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Tables of the paper's experiment as Markdown."""

from typing import Any

import numpy as np

from cgrpo_app.benchmarks.paper_claims import Claim, Difference, claims
from cgrpo_app.benchmarks.paper_outcomes import Outcome, by_case
from cgrpo_app.benchmarks.paper_pictures import grid_name
from cgrpo_app.benchmarks.paper_record import Record
from cgrpo_app.benchmarks.paper_studies import ABLATIONS, FULL, GROUPS, POLICIES, SIMPLE, TRANSFER
from cgrpo_app.compare.text import NONE

TITLES = {
    "curves": "Learning curves of both policies",
    "ablation": "GRPO-Full without one component",
    "grid": "Numbers of policies and groups",
    "transfer": "Other robots",
}


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
    full = by_case(outcomes, FULL.name)
    rows = []
    for name in (FULL.name, *(case.name for case in ABLATIONS), SIMPLE.name):
        trials = by_case(outcomes, name)
        if trials:
            difference = "" if name == FULL.name or not full else str(Difference.of(_ends(trials), _ends(full)))
            rows.append([name, str(len(trials)), _spread(_ends(trials)), difference, _deployed(trials)])
    return _table(["case", "seeds", "final return", "minus Full (95 % interval)", "deployed policy, no noise"], rows)


def _grid(outcomes: list[Outcome]) -> str:
    rows = []
    for policies in POLICIES:
        for groups in GROUPS:
            trials = by_case(outcomes, grid_name(policies, groups))
            if trials:
                best = [max(outcome.ends) for outcome in trials]
                numbers = [str(policies), str(groups), str(len(trials))]
                rows.append([*numbers, _spread(_ends(trials)), _spread(best), _deployed(trials)])
    heads = ["N", "K", "seeds", "final return, mean of policies", "best policy", "deployed policy, no noise"]
    return _table(heads, rows)


def _transfer(outcomes: list[Outcome]) -> str:
    rows = []
    for case in TRANSFER:
        trials = by_case(outcomes, case.name)
        if trials:
            returns = _spread([outcome.episode_end for outcome in trials if outcome.episode_end is not None])
            rows.append([case.name, str(len(trials)), returns, _deployed(trials)])
    return _table(["case", "seeds", "episode return at the end", "deployed policy, no noise"], rows)


def _ends(trials: list[Outcome]) -> list[float]:
    return [outcome.end for outcome in trials]


def _deployed(trials: list[Outcome]) -> str:
    return _spread([outcome.deterministic for outcome in trials])


def _spread(values: list[float]) -> str:
    """Mean, and over several seeds their standard deviation; a dash without values."""
    if not values:
        return NONE
    deviation = f" ± {np.std(values, ddof=1):.0f}" if len(values) > 1 else ""
    return f"{np.mean(values):.0f}{deviation}"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
