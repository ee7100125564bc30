"""Progress of a simulation: one line that is rewritten on a terminal, a line from time to time elsewhere."""

import shutil
import sys
import time

import click

from roompulse.simulate.run import Tally

QUIET_EVERY = 10.0
"""Seconds between two lines where the output is not a terminal."""


class Progress:
    def __init__(self) -> None:
        self._on_terminal = sys.stdout.isatty()
        self._delivered = 0
        self._at = self._next_line = time.monotonic()

    def show(self, tally: Tally) -> None:
        now = time.monotonic()
        if not self._on_terminal and now < self._next_line:
            return
        self._next_line = now + QUIET_EVERY
        rate = (tally.delivered - self._delivered) / (now - self._at)
        self._delivered, self._at = tally.delivered, now
        text = line(tally, rate)
        if self._on_terminal:
            self._rewrite(text)
        else:
            click.echo(text)

    def end(self, tally: Tally) -> None:
        if self._on_terminal:
            self._rewrite("")  # also removes the ^C
        click.echo(summary(tally))

    def _rewrite(self, text: str) -> None:
        # One character less than the width: some terminals begin a new line after the last column.
        width = shutil.get_terminal_size().columns - 1
        click.echo(f"\r{text[:width]:{width}}\r", nl=False)


def line(tally: Tally, rate: float) -> str:
    text = (
        f"{len(tally.rooms)} rooms, {rate:.1f} reports/s,"
        f" {tally.delivered:,} delivered, {tally.waiting:,} waiting, {tally.lost:,} lost"
    )
    return f"{text}: {tally.problem}" if tally.problem else text


def summary(tally: Tally) -> str:
    text = (
        f"{tally.sent:,} reports of {len(tally.users):,} users in {len(tally.rooms):,} rooms:"
        f" {tally.delivered:,} delivered, {tally.lost:,} lost"
    )
    return f"{text} ({tally.last_loss})" if tally.last_loss and tally.delivered else text
