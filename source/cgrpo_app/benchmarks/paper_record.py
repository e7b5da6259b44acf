# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``results.json`` of the paper's experiment: every figure of its report, so that later calls can add to it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cgrpo_app import run_folder
from cgrpo_app.benchmarks.paper_claims import claims
from cgrpo_app.benchmarks.paper_outcomes import Outcome
from cgrpo_app.benchmarks.paper_studies import STUDIES
from cgrpo_app.errors import UserError

RESULTS_FILE = "results.json"

PLACES = {case.name: place for place, case in enumerate(case for study in STUDIES.values() for case in study)}
"""Place of every case in the list of trials."""


@dataclass
class Record:
    """Outcomes of all calls with one report."""

    settings: dict[str, int]
    """Iterations and environments of every trial."""

    made_by: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By study: command, versions and hardware of the last call that had finished trials of it."""

    outcomes: list[Outcome] = field(default_factory=list)
    """Finished trials, as the studies list their cases, seeds in order."""

    failures: list[dict[str, Any]] = field(default_factory=list)
    """Case, seed and error of the trials that have failed."""

    @classmethod
    def read(cls, folder: Path, settings: dict[str, int]) -> "Record":
        """What a report has so far; nothing if there is none.

        Args:
            folder: Folder of the report.
            settings: Iterations and environments of the trials to come.

        Raises:
            UserError: If the report is of other settings or cannot be read.
        """
        path = folder / RESULTS_FILE
        if not path.is_file():
            return cls(settings)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            before = {name: content[name] for name in settings}
            outcomes = [Outcome(**row) for row in content["trials"]]
            record = cls(settings, content["made_by"], _sorted(outcomes), content["failures"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: is no report of this version ({error!r}); take another --report.") from error
        for name, value in settings.items():
            if before[name] != value:
                raise UserError(f"--{name} {value}: {path} has figures of {before[name]}; take another --report.")
        return record

    def add(self, outcomes: list[Outcome], failures: list[dict[str, Any]], details: dict[str, Any]) -> None:
        """Add a call's trials, which replace those of the same case and seed.

        Args:
            outcomes: Finished trials.
            failures: Failed ones.
            details: Command, versions and hardware of the call.
        """
        self.made_by |= {outcome.study: details for outcome in outcomes}
        new = {(outcome.case, outcome.seed) for outcome in outcomes}
        kept = [outcome for outcome in self.outcomes if (outcome.case, outcome.seed) not in new]
        self.outcomes = _sorted([*kept, *outcomes])
        new |= {(failure["case"], failure["seed"]) for failure in failures}
        self.failures = [f for f in self.failures if (f["case"], f["seed"]) not in new] + failures

    def write(self, folder: Path) -> None:
        """Write the file."""
        run_folder.write_json(
            folder / RESULTS_FILE,
            {
                **self.settings,
                "made_by": self.made_by,
                "claims": [asdict(claim) for claim in claims(self.outcomes)],
                "trials": [asdict(outcome) for outcome in self.outcomes],
                "failures": self.failures,
            },
        )


def _sorted(outcomes: list[Outcome]) -> list[Outcome]:
    """As the studies list their cases, seeds in order; KeyError for a case that is in none."""
    return sorted(outcomes, key=lambda outcome: (PLACES[outcome.case], outcome.seed))
