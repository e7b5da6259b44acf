# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a run writes while it trains: TensorBoard events, ``progress.csv`` and one line on the console."""

import contextlib
import csv
import io
import logging
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from rsl_rl.utils.log_writer import LogWriter
from rsl_rl.utils.logger import Logger

from cgrpo_lab import distributed
from cgrpo_lab.runners.warning_signs import WarningSigns
from cgrpo_lab.whole_file import whole_file

logger = logging.getLogger(__name__)


class ProgressTable:
    """``progress.csv``: a row per iteration, a column per metric; its first columns never move."""

    FIRST_COLUMNS = ("iteration", "env_steps", "wall_time_s")

    def __init__(self, path: Path, resume_at: int = 0) -> None:
        """Continue the table of an earlier part of the run up to ``resume_at``, or begin one."""
        self.path = path
        self.columns: list[str] = list(self.FIRST_COLUMNS)
        self.rows: list[dict[str, Any]] = []
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                # A killed process may leave its last line unfinished: cells are missing there.
                whole = (row for row in reader if None not in row.values())
                self.rows = [row for row in whole if int(row["iteration"]) <= resume_at]
                self.columns = list(reader.fieldnames or self.columns)
            self._rewrite()

    def add(self, row: dict[str, Any]) -> None:
        """Append a row; a metric seen for the first time becomes a new last column."""
        new = [name for name in row if name not in self.columns]
        self.rows.append(row)
        if new or not self.path.is_file():
            self.columns += new
            self._rewrite()
        else:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self.columns, restval="").writerow(row)

    def _rewrite(self) -> None:
        """Write the whole table through a temporary file."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, restval="")
        writer.writeheader()
        writer.writerows(self.rows)
        with whole_file(self.path) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")


class ProgressLine:
    """One console line per iteration, rewritten in place on a terminal; a block with every metric on request."""

    def __init__(self, verbose: bool, stream: TextIO | None = None, every: int = 10) -> None:
        """Args: ``verbose`` prints blocks; ``every`` is the distance of lines where the stream is no terminal."""
        self.verbose, self.every = verbose, every
        self.stream = stream or sys.stdout

    def show(self, iteration: int, total: int, metrics: dict[str, float], eta: float, is_last: bool) -> None:
        """Print iteration ``iteration`` of ``total``; ``eta`` is in [s]."""
        if self.verbose:
            block = "\n".join(f"  {name:<36}{value:12.4f}" for name, value in sorted(metrics.items()))
            self.stream.write(f"iteration {iteration}/{total}  eta {_clock(eta)}\n{block}\n")
        else:
            parts = [f"[{iteration:>{len(str(total))}}/{total}]"]
            if "Train/mean_reward" in metrics:
                parts.append(f"reward {metrics['Train/mean_reward']:8.2f}")
            if "Train/success" in metrics:
                parts.append(f"success {metrics['Train/success']:6.1%}")
            parts += [
                f"{metrics['Perf/total_fps']:,.0f} steps/s",
                f"elapsed {_clock(metrics['wall_time_s'])}",
                f"eta {_clock(eta)}",
            ]
            line = "  ".join(parts)
            if self.stream.isatty():
                self.stream.write(f"\r{line}\x1b[K" + ("\n" if is_last else ""))
            elif iteration % self.every == 0 or iteration == 1 or is_last:
                self.stream.write(line + "\n")
        self.stream.flush()


class RunLog:
    """Metrics of a run in all three places, and warnings about them; only the main process writes and speaks."""

    def __init__(self, writer: Logger, folder: Path | None, verbose: bool) -> None:
        """Make the log of a run.

        Args:
            writer: rsl_rl's logger, which knows TensorBoard and its kin.
            folder: Folder of the run; None writes nothing.
            verbose: Print every metric instead of one line.
        """
        self._logger, self._folder = writer, folder
        self._line = ProgressLine(verbose)
        self._table: ProgressTable | None = None
        self._signs = WarningSigns()

    def start(self, iteration: int) -> None:
        """Begin to write, or go on after ``iteration``."""
        if self._folder is None or not distributed.is_main():
            return
        with contextlib.redirect_stdout(None):  # rsl_rl prints one line per git repository it looks for
            self._logger.init_logging_writer()
        self._table = ProgressTable(self._folder / "progress.csv", iteration)

    def add(
        self, iteration: int, total: int, env_steps: int, metrics: dict[str, float], eta: float, is_last: bool
    ) -> None:
        """Write the metrics of one of ``total`` iterations, ``wall_time_s`` [s] among them; ``eta`` is in [s]."""
        if not distributed.is_main():
            return
        if self._table is not None:
            cells = {name: value for name, value in metrics.items() if name != "wall_time_s"}
            for name, value in cells.items():
                self._logger.writer.add_scalar(name, value, iteration)
            first = {"iteration": iteration, "env_steps": env_steps, "wall_time_s": round(metrics["wall_time_s"], 3)}
            self._table.add({**first, **{name: f"{value:.6g}" for name, value in cells.items()}})
        self._line.show(iteration, total, metrics, eta, is_last)
        self._signs.look(metrics, iteration)

    @contextlib.contextmanager
    def close_at_end(self) -> Iterator[None]:
        """Close the writer, however the block ends."""
        try:
            yield
        finally:
            self._logger.stop_logging_writer()
            # TensorBoard's writer, which rsl_rl leaves open, loses its latest events when the process ends.
            if self._logger.writer is not None and not isinstance(self._logger.writer, LogWriter):
                self._logger.writer.close()


def _clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    return str(timedelta(seconds=round(seconds)))
