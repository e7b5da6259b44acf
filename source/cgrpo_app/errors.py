# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Mistakes of the user end a command with one clear line and exit code 2, never with a traceback."""

import sys
from collections.abc import Callable, Sequence

from cgrpo_lab import distributed
from cgrpo_lab.algorithms.config import ConfigError
from cgrpo_lab.runners import CheckpointError, NonFiniteError


class UserError(Exception):
    """Something only the user can mend; the message names the option, its value and the remedy."""


EXPECTED = (UserError, ConfigError, CheckpointError, NonFiniteError, distributed.PeerError)
"""What a command reports in one line. Anything else is a defect and shows its traceback."""

EXIT_USER_ERROR = 2

EXIT_INTERRUPTED = 130
"""What a shell reports after Ctrl-C."""


def run_command(main: Callable[[Sequence[str]], None], argv: Sequence[str] | None = None) -> None:
    """Run a script's main function and turn expected errors into one line on stderr.

    Args:
        main: The script's main function.
        argv: Its arguments; those of the process if None.

    Raises:
        SystemExit: With exit code 2 after an expected error, 130 after Ctrl-C.
    """
    try:
        main(sys.argv[1:] if argv is None else argv)
    except EXPECTED as error:
        if distributed.is_first_to_report(str(error)):
            print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(EXIT_USER_ERROR) from None
    except KeyboardInterrupt:
        if distributed.is_first_to_report("interrupted"):
            print("interrupted", file=sys.stderr)
        raise SystemExit(EXIT_INTERRUPTED) from None
