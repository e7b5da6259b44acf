# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""Stand-in for ``scripts/evaluate.py``: the final policy's return is what the fake training ended with."""

import argparse
import json
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("task", "agent", "device", "checkpoint", "json"):
        parser.add_argument(f"--{name}")
    for name in ("seed", "episodes"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--random_actions", action="store_true")
    args = parser.parse_args()
    time.sleep(0.02)
    mean = -250.0
    if not args.random_actions:
        mean = json.loads((Path(args.checkpoint) / "exported" / "policy.onnx").read_text())["final"]
    result = {"episodes": args.episodes, "return": {"mean": mean, "std": 1.0}}
    Path(args.json).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
