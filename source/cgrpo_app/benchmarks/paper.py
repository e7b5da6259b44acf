# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/benchmark.py paper``: section 7 of the paper with several seeds, and the follow-ups that it leaves open.

Every trial is a process of ``train.py``; a call goes on where a killed one stopped. The figures are written whenever
the call ends, from the trials that are finished by then, and those that the report has already: studies may be run one
after the other.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cgrpo_app import command_line, run_folder
from cgrpo_app.benchmarks import paper_pictures, paper_report
from cgrpo_app.benchmarks.paper_claims import claims
from cgrpo_app.benchmarks.paper_outcomes import read_failures, read_outcome
from cgrpo_app.benchmarks.paper_record import RESULTS_FILE, Record
from cgrpo_app.benchmarks.paper_studies import BATCH_STEPS, STUDIES, Trial
from cgrpo_app.compare.pool import Pool
from cgrpo_app.compare.processes import locked
from cgrpo_app.errors import UserError
from cgrpo_app.provenance import describe_hardware, describe_versions
from cgrpo_lab.whole_file import whole_file

SCRIPTS = Path(__file__).parents[3] / "scripts"
SETTINGS_FILE = "paper.json"


def main(argv: Sequence[str], scripts: Path = SCRIPTS) -> None:
    """Run what is missing, then write the figures.

    Args:
        argv: Command line without program and subcommand.
        scripts: Folder of ``train.py``.

    Raises:
        UserError: If an option cannot be used.
    """
    args = _parse(argv)
    folder = args.out.absolute()
    report = (args.report or folder).absolute()
    settings = {"iterations": args.iterations, "num_envs": args.num_envs}
    trials = _trials(args, folder, scripts)
    with locked(folder) as lock:
        _check_settings(folder, settings)
        record = Record.read(report, settings)
        try:
            if args.retry_failed:
                for trial in trials:
                    trial.start_afresh()
            if not args.report_only:
                Pool(trials, args.jobs, lock).run()
        finally:
            _write_report(trials, record, report, _command(args, argv))


def _parse(argv: Sequence[str]) -> Any:
    parser = command_line.make_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="Folder of the trials; a later call goes on there.")
    parser.add_argument(
        "--report",
        type=Path,
        help=f"Folder for tables, pictures and {RESULTS_FILE}, which keeps its other trials; that of --out.",
    )
    parser.add_argument("--studies", default=",".join(STUDIES), help=f"Among {', '.join(STUDIES)}.")
    parser.add_argument("--seeds", type=int, default=5, help="Seeds of the main study, 1 to this number.")
    parser.add_argument("--follow_up_seeds", type=int, default=3, help="Seeds of the other studies.")
    parser.add_argument("--iterations", type=int, default=500, help=f"Iterations of {BATCH_STEPS} env steps.")
    parser.add_argument("--num_envs", type=int, default=64, help=f"Environments, a divisor of {BATCH_STEPS}.")
    parser.add_argument("--jobs", type=int, default=1, help="Trials side by side; they share the cores equally.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--retry_failed", action="store_true", help="Run failed trials again.")
    what.add_argument("--report_only", action="store_true", help="Run nothing; write the figures of what is there.")
    args, overrides = command_line.parse(parser, argv)
    if overrides:
        raise UserError(f"{overrides[0]}: the experiment is the paper's, without overrides.")
    for name in ("seeds", "follow_up_seeds", "jobs"):
        if vars(args)[name] < 1:
            raise UserError(f"--{name} {vars(args)[name]}: must be at least 1.")
    if args.iterations < 10:
        raise UserError(f"--iterations {args.iterations}: must be at least 10, to tell an end from a start.")
    if args.num_envs < 1 or BATCH_STEPS % args.num_envs:
        raise UserError(f"--num_envs {args.num_envs}: must divide the {BATCH_STEPS} steps of an iteration.")
    args.studies = args.studies.split(",")
    for study in args.studies:
        if study not in STUDIES:
            raise UserError(f"--studies {study}: is no study; there are {', '.join(STUDIES)}.")
    most = max(case.policies for study in args.studies for case in STUDIES[study])
    if args.num_envs % most:
        raise UserError(f"--num_envs {args.num_envs}: must be a multiple of the {most} policies of these studies.")
    return args


def _command(args: Any, argv: Sequence[str]) -> str:
    """The command that makes the same figures, without what is particular to this machine or call.

    Folders are named by their last part.
    """
    folders = {str(path): path.name for path in (args.out, args.report) if path is not None}
    items = [folders.get(item, item) for item in argv if item not in ("--report_only", "--retry_failed")]
    return shlex.join(["scripts/benchmark.py", "paper", *items])


def _trials(args: Any, folder: Path, scripts: Path) -> list[Trial]:
    """All trials, seeds outermost so that an early look shows every case."""
    return [
        Trial(case, seed, args.iterations, args.num_envs, folder, scripts)
        for seed in range(1, max(args.seeds, args.follow_up_seeds) + 1)
        for study in args.studies
        if seed <= (args.seeds if study == "main" else args.follow_up_seeds)
        for case in STUDIES[study]
    ]


def _check_settings(folder: Path, settings: dict[str, int]) -> None:
    """Keep what all trials of a folder have in common.

    Raises:
        UserError: If an earlier call had it otherwise.
    """
    if (folder / SETTINGS_FILE).is_file():
        for name, before in run_folder.read_json(folder / SETTINGS_FILE).items():
            if settings[name] != before:
                raise UserError(f"--{name} {settings[name]}: the trials in {folder} have {before}; take another --out.")
    run_folder.write_json(folder / SETTINGS_FILE, settings)


def _write_report(trials: list[Trial], record: Record, folder: Path, command: str) -> None:
    """Add the finished and the failed trials to what the report has, and write its tables, pictures and figures."""
    failures = read_failures(trials)
    for failure in failures:
        print(f"  FAILED {failure['case']} seed {failure['seed']}: {failure['error']}")
    outcomes = [read_outcome(trial) for trial in trials if trial.is_trained()]
    details = {"command": command, "versions": describe_versions(), "hardware": describe_hardware("cpu")}
    record.add(outcomes, failures, details)
    if not record.outcomes:
        print("no trial is finished: there is nothing to report")
        return
    folder.mkdir(parents=True, exist_ok=True)
    record.write(folder)
    pictures = paper_pictures.draw_pictures(record.outcomes, folder)
    with whole_file(folder / "README.md") as temporary:
        temporary.write_text(paper_report.write_tables(record, pictures))
    failed = f", {len(failures)} FAILED" if failures else ""
    print(f"{len(outcomes)} of {len(trials)} trials are finished{failed}; figures: {folder}/README.md")
    for claim in claims(record.outcomes):
        print(f"  {claim.claim}: {claim.verdict} ({claim.here})")
