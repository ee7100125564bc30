"""At least once: a sender without an answer retries."""

import httpx

from tests.api import data
from tests.builders import REFERENCE


async def test_a_report_that_is_sent_again_is_twice_in_history_and_once_in_its_room(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        assert (await client.post("/report/metrics", content=REFERENCE)).status_code == 200
    assert len(await data(client, "/report/history/room-1/u1")) == 2
    room = await data(client, "/report/metrics/room-1")
    assert (room["aggregate"]["user_count"], room["aggregate"]["stream_count"]) == (1, 1)
