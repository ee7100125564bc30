"""Merge snapshots into steps while they are read, newest first."""

from collections.abc import AsyncIterator, Sequence

from roompulse.rooms.aggregate import merge_snapshots, step_start
from roompulse.rooms.model import Snapshot


async def newest_steps(newest_first: AsyncIterator[Sequence[Snapshot]], step: float, limit: int) -> list[Snapshot]:
    """The newest `limit` steps of `step` seconds, oldest first."""
    steps: dict[float, list[Snapshot]] = {}
    async for snapshots in newest_first:
        for snapshot in snapshots:
            steps.setdefault(step_start(snapshot.timestamp, step), []).append(snapshot)
        if len(steps) > limit:  # the last one may not be whole, but the others are
            break
    newest = list(steps.items())[:limit]
    return [merge_snapshots(start, group[::-1]) for start, group in reversed(newest)]
