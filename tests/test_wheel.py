"""The package as others install it: built, installed where nothing else is, and started from another folder."""

import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.builders import REFERENCE
from tests.server import Server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("roompulse-*.whl")
    return built


def test_the_wheel_holds_templates_static_files_migrations_and_licences(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    for folder in ("templates", "static"):
        files = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert files
        assert {f"roompulse/{name}" for name in files} <= names
    assert any(name.startswith("roompulse/store/migrations/versions/0001") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("licenses/static/vendor/htmx/LICENSE") for name in names)


def test_the_installed_wheel_serves_pages_and_static_files_from_another_folder(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-compile"]  # it starts once, with a tenth of the modules
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements.txt")], check=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    server = Server(Path("data"), {}, command=[str(python.with_name("roompulse"))])
    with server.running():
        assert server.post(REFERENCE).status_code == 200
        page = server.get("/rooms/room-1")
        assert "4.37" in page.text
        linked = [part.split('"')[0] for part in page.text.split('="assets/')[1:]]
        assert len(linked) > 3
        for path in linked:
            assert server.get(f"/assets/{path}").status_code == 200
    assert (elsewhere / "data" / "roompulse.db").exists()
