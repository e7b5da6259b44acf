# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""The folder of a run: where it is, how it is found again, and its small JSON files."""

import json
import logging
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from cgrpo_app.errors import UserError
from cgrpo_lab.whole_file import whole_file, why_unwritable

logger = logging.getLogger(__name__)

LAUNCH_FILE = "launch.json"
"""What a run was last started with, so that resuming and playing it need none of it again."""

REPORT_FILE = "report.json"
"""What came out of a run."""

SELECTORS = ("latest", "best")


def experiment_folder(log_root: str, experiment: str) -> Path:
    """Folder of all runs of an experiment, as Isaac Lab's own commands lay it out."""
    return Path(log_root).absolute() / "rsl_rl" / experiment


def create_run_folder(log_root: str, experiment: str, run_name: str, *, task: str, entry_point: str) -> Path:
    """Make ``<log_root>/rsl_rl/<experiment>/<timestamp>[_run_name]`` with the manifest ``run.json``.

    Raises:
        UserError: If the name is no name of a folder, or the folder cannot be written.
    """
    from isaaclab_rl.entrypoints.common import write_run_manifest

    if "/" in run_name:
        raise UserError(f"--run_name {run_name}: is a path; give a name without slashes.")
    name = datetime.now().strftime("%Y-%m-%d_%H-%M-%S") + (f"_{run_name}" if run_name else "")
    folder = experiment_folder(log_root, experiment) / name
    try:
        (folder / "params").mkdir(parents=True)
        write_run_manifest(str(folder), library="rsl_rl", task=task, metadata={"agent": entry_point})
    except FileExistsError:
        raise UserError(f"{folder}: exists already; wait a second or give another --run_name.") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another --log_root.") from error
    return folder


def find_checkpoint(
    checkpoint: str | None, load_run: str | None, *, log_root: str, experiment: str, task: str, entry_point: str
) -> Path:
    """Checkpoint that the options name; the latest of this task and agent if they name none.

    Args:
        checkpoint: File, run folder, ``latest`` or ``best``; with ``load_run`` a file name in that run.
        load_run: Name of a run folder.
        log_root: Folder of all runs.
        experiment: Experiment that the agent writes to.
        task: Task id.
        entry_point: Agent's entry point.

    Raises:
        UserError: If there is no such checkpoint.
    """
    root = experiment_folder(log_root, experiment)
    if load_run is not None:
        folder = root / load_run
        if not folder.is_dir():
            raise UserError(f"--load_run {load_run}: there is no folder {folder}.")
        if checkpoint in (None, *SELECTORS):
            return _pick(folder, checkpoint or "latest")
        return _existing(folder / checkpoint)
    if checkpoint is None or checkpoint in SELECTORS:
        return _newest_run(root, checkpoint or "latest", task, entry_point)
    path = Path(checkpoint)
    return _pick(path, "latest") if path.is_dir() else _existing(path)


def _existing(path: Path) -> Path:
    """The path itself, if it is a file."""
    if not path.is_file():
        raise UserError(f"--checkpoint {path}: there is no such file or folder.")
    return path


def _newest_run(root: Path, selector: str, task: str, entry_point: str) -> Path:
    """Checkpoint of the newest run that was made with this task and agent."""
    for manifest in sorted(root.glob("*/run.json"), reverse=True):
        if _is_of(manifest, task, entry_point) and any(manifest.parent.glob("model_*.pt")):
            return _pick(manifest.parent, selector)
    raise UserError(
        f"--checkpoint {selector}: no run of {task} with a checkpoint under {root}; train one first "
        f"(scripts/train.py --task {task}) or give a file."
    )


def _is_of(manifest: Path, task: str, entry_point: str) -> bool:
    """Whether a run was made with this task and agent; a damaged manifest hides its run only."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        return content["task"] == task and content["metadata"].get("agent") == entry_point
    except (OSError, ValueError, KeyError, TypeError):
        logger.warning("%s is damaged: its run is left out; name it with --load_run to use it.", manifest)
        return False


def _pick(folder: Path, selector: str) -> Path:
    """The best or the last checkpoint of a run."""
    best = folder / "model_best.pt"
    if selector == "best" and best.is_file():
        return best
    numbered = _numbered(folder)
    if not numbered:
        raise UserError(f"{folder}: holds no checkpoint (model_<iteration>.pt).")
    return numbered[-1]


def _numbered(folder: Path) -> list[Path]:
    """Checkpoints ``model_<iteration>.pt`` of a run, latest last."""
    numbered = [path for path in folder.glob("model_*.pt") if path.stem.removeprefix("model_").isdigit()]
    return sorted(numbered, key=lambda path: int(path.stem.removeprefix("model_")))


def check_is_latest(checkpoint: Path) -> None:
    """Check that a run can go on from a checkpoint in its own folder.

    From an earlier one it would leave later checkpoints of a course that it has given up.

    Raises:
        UserError: If the checkpoint is not the run's latest.
    """
    latest = _numbered(checkpoint.parent)[-1:]
    if checkpoint not in latest:
        which = latest[0].name if latest else "model_<iteration>.pt"
        raise UserError(
            f"--checkpoint {checkpoint}: --resume goes on from the latest checkpoint of a run ({which}); to start a "
            "new run from this one leave --resume out."
        )


def has_report(folder: Path, iterations: int) -> bool:
    """Whether a run has reported on this many iterations; the report of an interrupted first part does not count."""
    report = find_json(folder / REPORT_FILE)
    return report is not None and report["iterations"] >= iterations


def with_run_overrides(folder: Path, overrides: list[str]) -> list[str]:
    """Add the overrides a run was trained with to those of the command line, which win.

    A folder without :data:`LAUNCH_FILE` (a run of Isaac Lab's own command, or a lone checkpoint) adds nothing.
    """
    file = folder / LAUNCH_FILE
    stored = read_json(file)["overrides"] if file.is_file() else []
    given = {item.split("=", 1)[0] for item in overrides}
    return [item for item in stored if item.split("=", 1)[0] not in given] + overrides


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that a run left.

    Raises:
        UserError: If it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read; the run was not made by scripts/train.py or is damaged.") from error


def find_json(path: Path) -> dict[str, Any] | None:
    """Content of a JSON file that is made again where it is wanting; None if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        logger.warning("%s is damaged and is made again.", path)
        return None


def check_writable(path: Path | None) -> None:
    """Find out before long work whether its result can be written; None is never written.

    Raises:
        UserError: If it cannot.
    """
    if path is not None and (reason := why_unwritable(path)):
        raise UserError(f"{path}: cannot be written ({reason}); choose another place.")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file through a temporary one; a list of numbers stands in one line.

    Raises:
        UserError: If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            text = json.dumps(content, indent=2)
            # Only between values is there a line break as such: within strings it is escaped.
            text = re.sub(r"\[\n[^][{}\"]*]", lambda numbers: "[" + " ".join(numbers[0][1:-1].split()) + "]", text)
            temporary.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); choose another place.") from error
