"""pyproject.toml, the lock files, the Makefile and environment.yml describe one environment."""

import re
import shutil
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = [Requirement(text) for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]
LOCK = (ROOT / "requirements.lock").read_text()
ENGINES = (ROOT / "requirements-engines.lock").read_text()
UV = (ROOT / "requirements-uv.lock").read_text()
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]


def locked_versions(python: str | None = None) -> dict[str, str]:
    """Name and version of every locked package, for this Python or the one named."""
    surroundings = {"python_version": python, "python_full_version": f"{python}.0"} if python else {}
    lines = re.findall(r"^(\S+)==(\S+)(?: ; (.+?))? \\$", LOCK, flags=re.MULTILINE)
    return {name: release for name, release, marker in lines if not marker or Marker(marker).evaluate(surroundings)}


def test_the_lock_meets_every_requirement_of_the_project():
    locked = locked_versions()
    unmet = [str(need) for need in NEEDED if not need.specifier.contains(locked.get(need.name, "0"), prereleases=True)]
    assert not unmet


def test_the_lock_of_the_engines_meets_their_extras_and_the_main_lock():
    pins = dict(re.findall(r"^(\S+)==(\S+)", ENGINES, flags=re.MULTILINE))
    needs = [Requirement(text) for extra in ("spark", "postgres") for text in PROJECT["optional-dependencies"][extra]]
    assert all(need.specifier.contains(pins.get(need.name, "0")) for need in needs)
    assert {name: pins[name] for name in pins.keys() & locked_versions()}.items() <= locked_versions().items()


@pytest.mark.parametrize("lock", ["LOCK", "ENGINES", "UV"])
def test_every_locked_version_carries_hashes_and_no_address(lock):
    entries = re.split(r"\n(?=\S)", globals()[lock])
    assert all("--hash=sha256:" in entry for entry in entries if re.match(r"\S+==", entry))
    assert "://" not in globals()[lock]
    assert not re.search(r"^--(index|extra|find|trusted)", globals()[lock], flags=re.MULTILINE)


def test_nothing_is_installed_without_a_hash():
    assert re.findall(r"^(\S+)==", UV, flags=re.MULTILINE) == ["uv"]
    makefile = (ROOT / "Makefile").read_text()
    installs = re.findall(r"(?:pip|uv) (?:pip )?(?:install|sync) .*", makefile)
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes" in install or install.endswith("--no-deps --no-build-isolation --editable .")


def test_conda_users_get_the_lock_and_a_python_that_the_project_takes():
    assert CONDA[-1] == {"pip": ["-r requirements.lock"]}
    python = next(line for line in CONDA if str(line).startswith("python=")).split("=")[1]
    assert python in PROJECT["requires-python"]
    assert {need.name.lower() for need in NEEDED} <= set(locked_versions(python))


def test_what_is_installed_is_what_is_locked():
    locked = locked_versions()
    assert {need.name: version(need.name) for need in NEEDED} == {need.name: locked[need.name] for need in NEEDED}


def test_building_the_environment_says_so_in_a_line_and_shows_nothing_else_but_a_failure(tmp_path):
    for name in ("Makefile", "requirements.lock", "requirements-uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"  # new enough, but without what makes an environment
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || { echo "ensurepip is missing" >&2; exit 1; }\n')
    python.chmod(0o755)
    command = ["make", "--no-print-directory", "env", f"PYTHON={python}"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.stdout == "building the environment in .venv/ (about a minute)\n"
    assert ended.stderr.startswith("ensurepip is missing\n")
    assert ended.returncode == 2
