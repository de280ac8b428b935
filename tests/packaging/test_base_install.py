"""The base alone is what a robot gets: it must install and run without any extra."""

import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def pinned(requirements: Path) -> list[str]:
    """Names of the distributions that a requirements file pins."""
    return re.findall(r"^([A-Za-z0-9._-]+)==", requirements.read_text(), flags=re.MULTILINE)


def copy_distribution(name: str, target: Path) -> None:
    """Copies an installed distribution's files into another environment's site-packages."""
    installed = distribution(name)
    for file in installed.files or []:
        if ".." in file.parts:
            continue  # scripts, which the base does not need
        destination = target / file
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(installed.locate_file(file)), destination)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the built wheel and the pinned base, and nothing else. Returns its bin folder."""
    folder = tmp_path_factory.mktemp("base")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "-w", str(folder), str(ROOT)], check=True, timeout=120)
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(
        subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    )
    for name in pinned(ROOT / "requirements" / "base.txt"):
        copy_distribution(name, site)
    (wheel,) = folder.glob("*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "-q",
        "--no-index",
        "--no-deps",
    ]
    subprocess.run([*install, str(wheel)], check=True, timeout=120)
    return python.parent


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, cwd="/"
    )


def test_base_alone_runs_the_agent(base: Path) -> None:
    """`vitals-agent --help` works where only the base is installed."""
    result = run(base / "vitals-agent", "--help")
    assert result.returncode == 0, result.stderr
    assert "run" in result.stdout
    assert "status" in result.stdout


def test_base_alone_has_nothing_of_the_extras(base: Path) -> None:
    """The environment is truly isolated: no NumPy, no DuckDB, no FastAPI."""
    result = run(base / "python", "-c", "import numpy")
    assert result.returncode == 1
    assert "ModuleNotFoundError" in result.stderr


@pytest.mark.parametrize("command", ["vitals-collector", "vitals-sim", "vitals-rules"])
def test_commands_of_an_extra_say_what_to_install(base: Path, command: str) -> None:
    """A command whose extra is missing answers with one line that names the extra, not a traceback."""
    result = run(base / command, "--help")
    assert "Traceback" not in result.stderr
    if result.returncode:
        assert "robovitals[" in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_the_wheel_has_the_playbooks(base: Path) -> None:
    """Every playbook of the source is there, beside the packs."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run(base / "python", "-c", code).stdout.strip())
    shipped = {path.name for path in (ROOT / "rules" / "packs" / "playbooks").iterdir()}
    assert {path.name for path in (site / "rules" / "packs" / "playbooks").iterdir()} == shipped
    assert shipped
