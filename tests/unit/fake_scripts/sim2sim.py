# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Stand-in for ``scripts/sim2sim.py``: perturbed worlds cost a fifth of the return; the file comes in two parts."""

import argparse
import json
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("policy", "env", "json"):
        parser.add_argument(f"--{name}")
    for name in ("seed", "episodes", "robustness"):
        parser.add_argument(f"--{name}", type=int)
    args = parser.parse_args()
    final = json.loads(Path(args.policy).read_text())["final"]
    worlds = [
        f"{kind} x{by:g}" for kind in ("mass", "friction", "gravity", "actuator_gain") for by in (0.8, 0.9, 1.1, 1.2)
    ]
    worlds += ["delay 1", "delay 2", "delay 3", "noise 0.01", "noise 0.05"]
    text = json.dumps(
        {"return": {"mean": final}, "perturbed": {name: {"return": {"mean": 0.8 * final}} for name in worlds}}
    )
    with Path(args.json).open("w") as file:
        file.write(text[:50])
        file.flush()
        time.sleep(0.02)
        file.write(text[50:])


if __name__ == "__main__":
    main()
