"""A server as a child of a process that has imported all it needs: it is there in a tenth of a command's time.

It is a process of its own in every other way. Starting the command itself is tested in tests/process/test_start.py.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from signal import Signals

from roompulse.cli import main

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["__main__", "tests.warm"])


class Fork:
    """A forked `roompulse`, with what the tests use of a `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        reader, writer = _FORKS.Pipe(duplex=False)
        # A daemon, so that none outlives the tests, even if they are ended in the middle.
        self._process = _FORKS.Process(target=_run, args=(arguments, environment, writer, log), daemon=True)
        self._process.start()
        writer.close()
        with reader:
            self.stdout = os.fdopen(os.dup(reader.fileno()), "rb")

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

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


def _run(arguments: Sequence[str], environment: Mapping[str, str], output: Connection, log: Path) -> None:
    os.dup2(output.fileno(), sys.stdout.fileno())
    output.close()
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    os.environ.clear()
    os.environ.update(environment)
    main(arguments, prog_name="python -m roompulse")
