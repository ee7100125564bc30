"""The machine of the measurements, and the peers; installs missing programs where that is allowed."""

import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

PACKAGES = {
    "wrk": "wrk",
    "nginx": "nginx libnginx-mod-nchan",
    "prometheus-pushgateway": "prometheus-pushgateway",
    "npm": "nodejs npm",
}
"""Debian packages by the command that they bring."""

NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
_FLUSHES = 200


def lacking() -> list[str]:
    """Commands that are not there."""
    found = [name for name in PACKAGES if not _path_of(name)]
    return found if NCHAN.exists() or "nginx" in found else [*found, "nginx"]


def _path_of(command: str) -> str | None:
    return shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def prepare(folder: Path) -> list[str]:
    """Install missing programs; log failures in one line, and return the commands still missing."""
    if (missing := lacking()) and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [package for name in missing for package in PACKAGES[name].split()]
        install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
        for command in (["apt-get", "update"], install):
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        missing = lacking()
    if missing:
        packages = [package for name in missing for package in PACKAGES[name].split()]
        print(f"Some baselines are left out. To have them: apt-get install {' '.join(packages)}", file=sys.stderr)
    if "npm" not in missing and not _install_better_sse(folder):
        print("better-sse is left out: npm could not install it", file=sys.stderr)
        missing.append("better-sse")
    elif "npm" in missing:
        missing.append("better-sse")
    return missing


def _install_better_sse(folder: Path) -> bool:
    if not (folder / "node_modules" / "better-sse").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), "better-sse@0.16"]
        return subprocess.run(command, check=False).returncode == 0
    return True


def described(folder: Path) -> dict[str, str]:
    """The machine and the versions; `folder` is where data is kept."""
    return {
        "CPU": f"{os.cpu_count()} cores, {_cpu_model()}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": f"{file_system(folder)}; a flush of 4 KiB takes {1000 * _flush_seconds(folder):.2f} ms",
        "Python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in ("litestar", "uvicorn", "uvloop", "msgspec")),
        "peers": ", ".join(_peers(folder)),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def file_system(folder: Path) -> str:
    """The type of the file system that holds a folder."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    inside = [mount for mount in mounts if folder.resolve().is_relative_to(mount[0])]
    return max(inside, key=lambda mount: len(mount[0]))[1]


def _flush_seconds(folder: Path) -> float:
    """Median of appending 4 KiB and flushing it to the disk: the wait of a commit."""
    path = folder / "flushed"
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(_FLUSHES):
            started = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    path.unlink()
    return statistics.median(times)


def _peers(folder: Path) -> list[str]:
    found = []
    for name, argument in (("wrk", "--version"), ("nginx", "-v"), ("prometheus-pushgateway", "--version")):
        if path := _path_of(name):
            # wrk and nginx say it on the error output, and wrk calls that a mistake.
            done = subprocess.run([path, argument], check=False, capture_output=True, text=True)
            found.append(" ".join((done.stdout + done.stderr).split()[:3]).rstrip(","))
    if NCHAN.exists():
        found.append(_debian_version("libnginx-mod-nchan"))
    if path := _path_of("node"):
        found.append(f"node {subprocess.run([path, '--version'], check=True, capture_output=True, text=True).stdout}")
        found.append("better-sse 0.16")
    return [one.strip() for one in found]


def _debian_version(package: str) -> str:
    command = ["dpkg-query", "--show", package]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return " ".join(done.stdout.split()) or package
