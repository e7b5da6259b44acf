# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""See ``--help``; the work is done in ``cgrpo_app.sweep``."""

from cgrpo_app import command_line, parsers
from cgrpo_app.errors import run_command

if __name__ == "__main__":
    command_line.answer(parsers.sweep())

    from cgrpo_app.sweep.command import main

    run_command(main)
