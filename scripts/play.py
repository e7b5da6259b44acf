# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""See ``--help``; the work is done in ``cgrpo_app.play``."""

from cgrpo_app import command_line, parsers
from cgrpo_app.errors import run_command

if __name__ == "__main__":
    command_line.answer(parsers.play())

    from cgrpo_app.play import main

    run_command(main)
