# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""What a comparison consists of, kept in its folder so that a later call goes on with the same."""

import dataclasses
import shlex
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cgrpo_app import run_folder
from cgrpo_app.errors import UserError

FILE = "comparison.json"

GROWING = ("tasks", "agents", "seeds")
"""Settings that a later call may add to, with the steps of added tasks; the rest has to stay, or runs could not be
compared."""


_HAND = "HandManipulateBlock{}Dense-v1"

JUDGES = {
    **{f"{robot}-CGRPO": {"v4": f"{robot}-v4", "v5": f"{robot}-v5"} for robot in ("HalfCheetah", "Walker2d", "Ant")},
    "Franka-Reach-CGRPO": {"": "Franka-Reach"},
    "Shadow-Hand-Manipulate-Block-CGRPO": {
        "rotate_z": _HAND.format("RotateZ"),
        "rotate_parallel": _HAND.format("RotateParallel"),
        "rotate_xyz": _HAND.format("RotateXYZ"),
        "full": _HAND.format("Full"),
    },
}
"""Environments of ``sim2sim.py`` by task and variant (``env=NAME``), the default variant first."""


@dataclass(frozen=True)
class Settings:
    """A comparison: every agent on every task with every seed, under the same conditions."""

    tasks: tuple[str, ...]
    agents: tuple[str, ...]
    seeds: tuple[int, ...]

    steps: dict[str, int]
    """Env steps of a run by task, rounded up by ``train.py`` to whole iterations."""

    device: str

    num_envs: int | None = None
    """Environments of a training run; None takes each task's default for the device."""

    episodes: int = 100
    """Episodes that judge a final policy."""

    robustness: int = 10
    """Episodes in each perturbed environment; 0 leaves generalisation out."""

    overrides: tuple[str, ...] = ()
    """Hydra overrides of every run."""

    def store(self, folder: Path) -> "Settings":
        """Write the settings to a comparison's folder, joined with those of an earlier call.

        Returns:
            The joined settings.

        Raises:
            UserError: If an earlier call's runs were made under other conditions.
        """
        joined = self
        if (folder / FILE).is_file():
            earlier = load(folder)
            for field in dataclasses.fields(self):
                before, now = getattr(earlier, field.name), getattr(self, field.name)
                if field.name in GROWING:
                    joined = dataclasses.replace(joined, **{field.name: tuple(dict.fromkeys((*before, *now)))})
                elif field.name == "steps" and all(now.get(task, steps) == steps for task, steps in before.items()):
                    joined = dataclasses.replace(joined, steps={**before, **now})
                elif before != now:
                    raise UserError(
                        f"--out {folder}: holds runs with {field.name}={_text(before)}, not {_text(now)}; "
                        "repeat that setting or choose another folder."
                    )
        run_folder.write_json(folder / FILE, dataclasses.asdict(joined))
        return joined


def load(folder: Path) -> Settings:
    """Settings of the comparison in a folder.

    Raises:
        UserError: If the folder holds none.
    """
    content: dict[str, Any] = run_folder.read_json(folder / FILE)
    if isinstance(content["steps"], int):  # one number stands for all tasks
        content["steps"] = dict.fromkeys(content["tasks"], content["steps"])
    return Settings(**{name: tuple(value) if isinstance(value, list) else value for name, value in content.items()})


def judge_environment(settings: Settings, task: str) -> str | None:
    """Environment outside Isaac Lab that ``sim2sim.py`` judges policies of a task in; None if there is none."""
    variants = JUDGES.get(task, {})
    chosen = [item.removeprefix("env=") for item in settings.overrides if item.startswith("env=")]
    return variants.get(chosen[-1]) if chosen else next(iter(variants.values()), None)


def command_of(settings: Settings, experts: list[str], folder: Path) -> str:
    """The command that makes this comparison from nothing."""
    parts = ["python", "scripts/compare.py", "--tasks", *settings.tasks, "--agents", *settings.agents]
    parts += ["--seeds", seeds_option(settings.seeds), "--steps", *steps_options(settings.steps)]
    parts += ["--episodes", str(settings.episodes), "--robustness", str(settings.robustness)]
    parts += ["--num_envs", str(settings.num_envs)] if settings.num_envs is not None else []
    parts += ["--expert", *experts] if experts != ["best"] else []
    return shlex.join([*parts, "--device", settings.device, "--out", folder.name, *settings.overrides])


def seeds_option(seeds: tuple[int, ...]) -> str:
    """Value of ``--seeds``: their number if they count from 1, else the seeds, a single one with a comma."""
    if seeds == tuple(range(1, len(seeds) + 1)):
        return str(len(seeds))
    return f"{seeds[0]}," if len(seeds) == 1 else ",".join(map(str, seeds))


def steps_options(steps: dict[str, int]) -> list[str]:
    """Values of ``--steps``: the most frequent number, then the tasks with another."""
    usual = statistics.mode(steps.values())
    return [str(usual), *(f"{task}={number}" for task, number in steps.items() if number != usual)]


def _text(value: Any) -> str:
    """A setting as a person writes it."""
    if isinstance(value, dict):
        return " ".join(steps_options(value))
    return " ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
