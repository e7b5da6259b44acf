# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``kill -9`` at a chosen moment of a call's work, however fast the machine is."""

import multiprocessing
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 60.0


def kill_when(happened: Callable[[], bool], function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Call a function in a process of its own and kill that as soon as something has happened."""
    process = multiprocessing.get_context("fork").Process(target=function, args=args, kwargs=kwargs)
    process.start()
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not happened():
            assert process.is_alive(), "the call ended before the moment of its kill"
            assert time.monotonic() < deadline, f"the moment of the kill has not come in {PATIENCE_S:g} s"
            time.sleep(0.002)
    finally:
        process.kill()
        process.join()
