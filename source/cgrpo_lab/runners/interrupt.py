# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Ctrl-C and SIGTERM as a wish that is granted at the end of an iteration."""

import contextlib
import signal
from collections.abc import Iterator


class Interrupt:
    """Remembers whether somebody asked to stop."""

    def __init__(self) -> None:
        """Nobody did."""
        self.requested = False

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Take note of signals during the block instead of ending at once; a second Ctrl-C does end at once."""

        def note(signum: int, frame: object) -> None:
            self.requested = True
            # Not the handler from before: a process started in the background ignores SIGINT.
            signal.signal(signal.SIGINT, signal.default_int_handler)

        self.requested = False
        previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
