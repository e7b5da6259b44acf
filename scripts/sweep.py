# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""See ``--help``; the work is done in ``cgrpo_app.sweep``."""

from cgrpo_app.errors import run_command
from cgrpo_app.sweep.command import main

if __name__ == "__main__":
    run_command(main)
