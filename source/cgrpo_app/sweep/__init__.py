# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""``scripts/sweep.py``: the surface of stability and performance over an agent's settings, with Optuna.

``space`` says what is varied, ``search`` runs trials and prunes poor ones, ``figures`` and ``report`` show the surface.
"""
