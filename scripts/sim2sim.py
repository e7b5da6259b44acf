# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""See ``--help``; the work is done in ``cgrpo_app.sim2sim``."""

from cgrpo_app.sim2sim import main

if __name__ == "__main__":
    main()
