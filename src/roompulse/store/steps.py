"""Merge snapshots into steps while they are read, newest first."""

from collections.abc import AsyncIterator

from roompulse.rooms.aggregate import merge_snapshots, step_start
from roompulse.rooms.model import Snapshot


async def newest_steps(newest_first: AsyncIterator[Snapshot], step: float | None, limit: int) -> list[Snapshot]:
    """The newest `limit` steps of `step` seconds, oldest first; without a step every snapshot stands for itself."""
    steps: list[list[Snapshot]] = []
    start = None
    async for snapshot in newest_first:
        this_start = step_start(snapshot.timestamp, step) if step else snapshot.timestamp
        if this_start != start:
            if len(steps) == limit:
                break
            steps.append([])
            start = this_start
        steps[-1].append(snapshot)
    merged = (
        merge_snapshots(step_start(group[0].timestamp, step), group[::-1]) if step else group[0] for group in steps
    )
    return list(merged)[::-1]
