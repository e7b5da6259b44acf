# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/compare.py``: algorithms over tasks and seeds, judged by the paper's four metrics (section 6).

``settings`` is what was asked for, ``runs`` and ``pool`` make it, ``records`` reads what runs left, ``metrics`` and
``statistics`` are the arithmetic, ``results`` puts it together, and ``figures`` and ``report`` show it.
"""
