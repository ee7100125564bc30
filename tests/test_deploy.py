"""The files in deploy/ name settings, flags and files that exist, and programs take them as far as they run here."""

import asyncio
import os
import re
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml  # type: ignore[import-untyped]
from benchmarks.processes import free_port

from roompulse.cli.serve import serve
from roompulse.settings import PREFIX, unknown_names
from tests.haproxy import configured, find_haproxy
from tests.postgres_server import PostgresServer, is_synchronous, program
from tests.process import DEADLINE, eventually

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"

FLAGS = {option for parameter in serve.params for option in parameter.opts}

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_settings_and_flags_exist(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", text))
    assert list(unknown_names(dict.fromkeys(named, ""))) == []
    commands = re.findall(r"^(?:ExecStart=\S+|ENTRYPOINT \[.roompulse.,) .*", text, re.MULTILINE)
    assert {flag for command in commands for flag in re.findall(r"--[a-z-]+", command)} <= FLAGS


def test_the_balancer_asks_whether_workers_are_ready() -> None:
    assert "option httpchk GET /readyz" in (DEPLOY / "haproxy.cfg").read_text()


@pytest.mark.parametrize("text", [(DEPLOY / "haproxy.cfg").read_text(), configured(8180, [8181, 8182])])
def test_haproxy_takes_its_configuration(tmp_path: Path, text: str) -> None:
    command = find_haproxy()
    assert command, "there is no haproxy: run `python -m tests.haproxy` as root, or install it"
    (tmp_path / "haproxy.cfg").write_text(text)
    done = subprocess.run(
        [command, "-c", "-f", tmp_path / "haproxy.cfg"], capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_what_the_compose_file_names_exists() -> None:
    for service in SERVICES.values():
        if built := service.get("build"):
            assert (DEPLOY / built["context"] / built["dockerfile"]).is_file()
        for source in (volume.split(":")[0] for volume in service.get("volumes", ())):
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]
        needed = service.get("depends_on", ())
        assert set(needed) <= set(SERVICES)


def test_the_compose_file_has_the_addresses_of_the_other_files() -> None:
    addresses = {name: service["networks"]["inside"]["ipv4_address"] for name, service in SERVICES.items()}
    assert len(set(addresses.values())) == len(addresses)
    listed = dict(re.findall(r"server (\w+) ([\d.]+):8180", (DEPLOY / "haproxy.cfg").read_text()))
    assert listed == {name: addresses[name] for name in ("one", "two", "three")}
    for name in listed:
        environment = SERVICES[name]["environment"]
        hosts = urlsplit(re.sub(r"\$\{.*?\}", "x", environment["ROOMPULSE_DATABASE_URL"])).netloc.partition("@")[2]
        assert hosts == f"{addresses['primary']},{addresses['standby']}"
        assert environment["ROOMPULSE_TRUSTED_PROXIES"] == addresses["haproxy"]
    assert f"host={addresses['primary']} " in (DEPLOY / "standby.sh").read_text()


@pytest.mark.slow
def test_the_scripts_of_the_compose_file_make_a_synchronous_standby() -> None:
    """They are for containers, and run here with the programs of this machine."""
    with TemporaryDirectory(prefix="roompulse-") as name, ExitStack() as stack:
        folder = Path(name)
        primary = PostgresServer(folder, "fsync=on")
        standby = folder / "standby"
        standby.mkdir()
        shutil.chown(standby, folder.owner())

        def started(script: str, data: Path) -> subprocess.Popen[bytes]:
            text = (DEPLOY / script).read_text()
            text = text.replace("host=10.0.0.21 ", "host=127.0.0.1 ")
            here = f"exec postgres -c port={free_port()} -c unix_socket_directories={folder} "
            text = text.replace("exec postgres ", here)
            environment = {
                "PATH": f"{Path(program('postgres')).parent}:{os.environ['PATH']}",
                "PGDATA": str(data),
                "PGHOST": "127.0.0.1",
                "PGPORT": str(urlsplit(primary.url).port),
                "POSTGRES_USER": "roompulse",
                "POSTGRES_PASSWORD": "not asked for",
            }
            return subprocess.Popen([*primary.user, "sh", "-c", text], env=environment, cwd="/")

        primary.start()
        stack.callback(primary.stop)
        assert started("primary.sh", primary.data).wait(DEADLINE) == 0
        assert "host replication roompulse samenet scram-sha-256" in (primary.data / "pg_hba.conf").read_text()
        primary.stop()
        primary.start()
        following = started("standby.sh", standby)
        stack.callback(following.wait, DEADLINE)
        stack.callback(following.terminate)
        eventually(lambda: following.poll() is not None or asyncio.run(is_synchronous(primary.url)))
        assert following.poll() is None
