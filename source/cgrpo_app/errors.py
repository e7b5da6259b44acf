# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Mistakes of the user end a command with one clear line and exit code 2, never with a traceback.

Command lines are read before torch is loaded, so this file imports it only when something has gone wrong later.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta


class UserError(Exception):
    """Something only the user can mend; the message names the option, its value and the remedy."""


EXIT_USER_ERROR = 2

EXIT_INTERRUPTED = 130
"""What a shell reports after Ctrl-C."""


def expected_errors() -> tuple[type[Exception], ...]:
    """What a command reports in one line. Anything else is a defect and shows its traceback."""
    from cgrpo_lab.distributed import PeerError
    from cgrpo_lab.runners import CheckpointError, NonFiniteError
    from cgrpo_lab.validation import ConfigError

    return UserError, ConfigError, CheckpointError, NonFiniteError, PeerError


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
    except KeyboardInterrupt:
        if _is_first_to_report("interrupted"):
            print("interrupted", file=sys.stderr)
        raise SystemExit(EXIT_INTERRUPTED) from None
    except Exception as error:
        # Asked for first, as it does not take torch.
        if not isinstance(error, UserError) and not isinstance(error, expected_errors()):
            raise
        if _is_first_to_report(str(error)):
            print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(EXIT_USER_ERROR) from None


def is_one_of_several() -> bool:
    """Whether torch's launcher has started this process."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _is_first_to_report(message: str) -> bool:
    """Whether no other process of the job has reported the same; needs no group, only torch's launcher."""
    if not is_one_of_several():
        return True
    import torch.distributed as dist

    try:
        address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = dist.TCPStore(*address, is_master=False, timeout=timedelta(seconds=5), wait_for_workers=False)
        return store.add("reported/" + hashlib.sha256(message.encode()).hexdigest(), 1) == 1
    except dist.DistError:
        # The launcher is gone, and nobody else will report it.
        return True
