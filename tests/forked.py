"""The command as a child of a process that has imported all it needs, which takes a tenth of the time.

It is a process of its own in every other way. How the command itself starts is tested in tests/process/test_start.py.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from signal import Signals
from tempfile import TemporaryDirectory

from uvicorn.main import main as uvicorn_main

from roompulse.cli import main

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["__main__", "tests.warm"])


def roompulse(arguments: Sequence[str]) -> None:
    main(arguments, prog_name="python -m roompulse")


def uvicorn(arguments: Sequence[str]) -> None:
    uvicorn_main(arguments, prog_name="python -m uvicorn")


class Fork:
    """A forked command, with the parts of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        command: Callable[[Sequence[str]], None] = roompulse,
    ) -> None:
        reader, writer = _FORKS.Pipe(duplex=False)
        # A daemon, so that none outlives the tests, even if they are ended in the middle.
        self._process = _FORKS.Process(target=_serve, args=(command, arguments, environment, writer, log), daemon=True)
        self._process.start()
        writer.close()
        with reader:
            self.stdout = os.fdopen(os.dup(reader.fileno()), "rb")

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._process.exitcode

    def send_signal(self, signal: Signals) -> None:
        os.kill(self.pid, signal)

    def wait(self, timeout: float) -> int:
        """Its exit code; raises TimeoutError if it has not ended after `timeout` seconds."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise TimeoutError(f"process {self.pid} has not ended after {timeout} s")
        self._process.close()
        return code


def run_forked(
    arguments: Sequence[str], environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, like `subprocess.run` with `capture_output`; fails after `timeout` seconds."""
    with TemporaryDirectory() as folder:
        output, errors = Path(folder) / "stdout", Path(folder) / "stderr"
        process = _FORKS.Process(target=_run, args=(arguments, environment, output, errors), daemon=True)
        process.start()
        process.join(timeout)
        code = process.exitcode
        if code is None:
            process.kill()
            process.join()
        process.close()
        assert code is not None, f"{arguments} has not ended after {timeout} s: {errors.read_text()}"
        return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())


def _serve(
    command: Callable[[Sequence[str]], None],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: Connection,
    log: Path,
) -> None:
    os.dup2(output.fileno(), sys.stdout.fileno())
    output.close()
    _redirect(sys.stderr.fileno(), log)
    _set(environment)
    command(arguments)


def _run(arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path) -> None:
    _redirect(sys.stdout.fileno(), output)
    _redirect(sys.stderr.fileno(), errors)
    _set(environment)
    roompulse(arguments)


def _redirect(descriptor: int, path: Path) -> None:
    with path.open("ab") as file:
        os.dup2(file.fileno(), descriptor)


def _set(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
