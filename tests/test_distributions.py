"""The tests of each distribution are found and run from its own folder, and by themselves."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.rim

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(
    file.parent.relative_to(ROOT).as_posix()
    for pattern in ("plugins/*/pyproject.toml", "docs/examples/*/pyproject.toml")
    for file in ROOT.glob(pattern)
)


def test_all_distributions_are_among_them():
    assert "plugins/sql" in FOLDERS
    assert all((ROOT / folder / "tests").is_dir() for folder in FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_tests_of_a_distribution_are_found_from_its_own_folder(folder):
    command = [sys.executable, "-m", "pytest", "tests", "-q", "--collect-only", "--tier", "quick"]
    result = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=ROOT / folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "::test_" in result.stdout
