# Copyright (c) 2026, CGRPO Lab developers
# SPDX-License-Identifier: BSD-3-Clause

"""One version everywhere, locks that agree with the ranges, and manifests that tools can find."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cgrpo_lab

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PYPROJECT["project"]["optional-dependencies"]


def read_lock(name: str) -> dict[str, str]:
    """Return the versions of a requirements file by canonical name."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    pins = [re.fullmatch(r"([\w.-]+)==([\w.!+]+)", line) for line in lines]
    assert all(pins), [line for line, pin in zip(lines, pins, strict=True) if not pin]
    return {canonicalize_name(pin[1]): pin[2] for pin in pins}


@pytest.mark.parametrize("path", ["extension.toml", "config/extension.toml"])
def test_extension_manifest_has_the_version(path: str):
    assert tomllib.loads((ROOT / path).read_text())["package"]["version"] == cgrpo_lab.__version__


def test_the_two_extension_manifests_are_one():
    assert (ROOT / "config/extension.toml").read_bytes() == (ROOT / "extension.toml").read_bytes()


def test_extension_manifest_names_modules_that_exist():
    for module in tomllib.loads((ROOT / "extension.toml").read_text())["python"]["module"]:
        assert (ROOT / module["path"] / module["name"] / "__init__.py").is_file()


def test_citation_has_the_version_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == cgrpo_lab.__version__
    assert citation["references"][0]["identifiers"][0]["value"] == "arXiv:2507.19555"


def test_top_changelog_entry_has_the_version():
    entries = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [entry for entry in entries if entry != "Unreleased"]
    assert released[0] == cgrpo_lab.__version__


def test_version_is_stated_once_in_the_package_configuration():
    assert "version" not in PYPROJECT["project"]
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "cgrpo_lab.__version__"}


def test_isaac_lab_finds_the_tasks_by_entry_point():
    assert PYPROJECT["project"]["entry-points"]["isaaclab.tasks"] == {"cgrpo_tasks": "cgrpo_tasks"}


@pytest.mark.parametrize(
    ("lock", "ranges"),
    [
        ("requirements.txt", PYPROJECT["project"]["dependencies"]),
        ("requirements-baselines.txt", EXTRAS["baselines"]),
        ("requirements-compare.txt", EXTRAS["compare"]),
        ("requirements-gpu.txt", EXTRAS["gpu"]),
        ("requirements-dev.txt", EXTRAS["dev"]),
    ],
)
def test_lock_satisfies_the_ranges(lock: str, ranges: list[str]):
    pins = read_lock(lock)
    for requirement in map(Requirement, ranges):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("extra", ["baselines", "compare", "gpu", "dev"])
def test_extra_locks_only_add_to_the_base(extra: str):
    assert not read_lock("requirements.txt").keys() & read_lock(f"requirements-{extra}.txt").keys()


def test_extra_locks_agree_on_what_they_share():
    versions: dict[str, str] = {}
    for extra in ("baselines", "compare", "gpu", "dev"):
        for name, pin in read_lock(f"requirements-{extra}.txt").items():
            assert versions.setdefault(name, pin) == pin, (extra, name)
