"""/report/alerts over HTTP: shapes, permissions, and that secrets are never returned."""

import asyncio
from typing import Any

import httpx
import pytest

from roompulse.app import create_app
from roompulse.report.model import Entry
from roompulse.settings import Settings
from tests.access import bearer, new_key
from tests.builders import NOW, body, network, stream
from tests.conftest import Clock, client_of
from tests.operators import add_operators, cookie_of

RULES, CHANNELS, SILENCES = "/report/alerts/rules", "/report/alerts/channels", "/report/alerts/silences"
RULE: dict[str, Any] = {
    "name": "Poor",
    "severity": "warning",
    "subject": "user",
    "when": [{"metric": "score", "op": "<", "value": 3.1}],
}
BAD = [Entry("u1", [stream(network=network(packet_loss=20))])]
HOOK: dict[str, Any] = {"name": "hook", "kind": "webhook", "url": "https://user:hunter2@example.com/secret-path"}


async def test_a_rule_is_made_read_changed_and_deleted(kept: httpx.AsyncClient) -> None:
    answer = await kept.post(RULES, json=RULE | {"for": 30})
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert made["for"] == 30
    path = f"{RULES}/{made['id']}"
    assert (await kept.get(path)).json()["data"] == made
    changed = await kept.put(path, json=made | {"name": "Bad"})
    assert (changed.status_code, changed.json()["data"]["name"]) == (200, "Bad")
    assert "Bad" in [rule["name"] for rule in (await kept.get(RULES)).json()["data"]]
    assert (await kept.delete(path)).json() == {"code": 0, "message": "success", "data": None}
    assert [(await kept.request(method, path, json=RULE)).status_code for method in ("GET", "PUT", "DELETE")] == [
        404
    ] * 3


async def test_the_default_rules_are_there(client: httpx.AsyncClient) -> None:
    assert len((await client.get(RULES)).json()["data"]) == 4


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"for": -1}, "$.for"),
        ({"channels": ["x"]}, "$.channels[0]"),
        ({"scope": {"room": "x" * 10_000}}, "$.scope.room"),
    ],
)
async def test_a_rule_that_cannot_be_is_a_400_that_names_the_field(
    kept: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    answer = await kept.post(RULES, json=RULE | change)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{field}: ")


async def test_a_thousand_rules_are_too_many(client: httpx.AsyncClient) -> None:
    answers = [await client.post(RULES, json=RULE) for _ in range(200)]
    assert [answer.status_code for answer in answers] == [201] * 196 + [400] * 4
    assert "MAX_RULES" in answers[-1].json()["message"]


async def test_bodies_are_json_of_a_bounded_size(kept: httpx.AsyncClient) -> None:
    assert (await kept.post(RULES, content=b"{}", headers={"Content-Type": "text/plain"})).status_code == 415
    assert (await kept.post(RULES, json=RULE | {"name": "x" * 100_000})).status_code == 413
    assert (await kept.post(RULES, content=b"{", headers={"Content-Type": "application/json"})).status_code == 400


async def test_pages_of_other_sites_change_nothing(kept: httpx.AsyncClient) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert (await kept.post(RULES, json=RULE, headers=headers)).status_code == 403
    assert (await kept.post(RULES, json=RULE, headers={"Sec-Fetch-Site": "same-origin"})).status_code == 201


async def test_only_admins_and_keys_for_manage_may_change(settings: Settings, clock: Clock) -> None:
    await add_operators(settings, ada="admin", bob="viewer")
    _, reading = await new_key(settings, "read")
    _, managing = await new_key(settings, "manage")
    async with client_of(create_app(settings, clock)) as client:
        callers = [{}, bearer(reading), bearer(managing), cookie_of("bob"), cookie_of("ada")]
        posted = [(await client.post(RULES, json=RULE, headers=headers)).status_code for headers in callers]
        read = [(await client.get(RULES, headers=headers)).status_code for headers in callers]
    assert posted == [401, 403, 201, 403, 201]
    assert read == [401, 200, 200, 200, 200]


async def test_a_key_for_manage_alone_closes_the_server(settings: Settings, clock: Clock) -> None:
    await new_key(settings, "manage")
    async with client_of(create_app(settings, clock)) as client:
        assert (await client.post(RULES, json=RULE)).status_code == 401
        assert (await client.get("/report/rooms")).status_code == 401


async def test_secrets_are_written_and_not_read_back(kept: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    answer = await kept.post(CHANNELS, json=HOOK)
    made = answer.json()["data"]
    secret = made["secret"]
    assert answer.status_code == 201
    assert secret.startswith("whsec_")
    assert made["url"] == "https://example.com/…"
    path = f"{CHANNELS}/{made['id']}"
    changed = await kept.put(path, json={"name": "hook 2", "kind": "webhook"})
    texts = [changed.text, (await kept.get(path)).text, (await kept.get(CHANNELS)).text, caplog.text]
    assert changed.json()["data"] == made | {"name": "hook 2", "secret": None}
    for text in texts:
        assert secret not in text
        assert "hunter2" not in text
        assert "secret-path" not in text
    assert (await kept.delete(path)).status_code == 200
    assert (await kept.get(path)).status_code == 404


async def test_a_secret_that_was_given_is_not_shown(kept: httpx.AsyncClient) -> None:
    given = HOOK | {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    assert (await kept.post(CHANNELS, json=given)).json()["data"]["secret"] is None


async def test_the_test_of_a_channel_says_what_came_of_it(kept: httpx.AsyncClient) -> None:
    made = (await kept.post(CHANNELS, json=HOOK | {"url": "http://127.0.0.1:9/"})).json()["data"]
    tested = (await kept.post(f"{CHANNELS}/{made['id']}/test")).json()["data"]
    assert tested["delivered"] is False
    assert "not public" in tested["detail"]
    assert (await kept.post(f"{CHANNELS}/nothing/test")).status_code == 404


async def alerts(client: httpx.AsyncClient, query: str = "", count: int = 1) -> list[dict[str, Any]]:
    """Waits for so many alerts; the server evaluates once a second."""
    while len(found := (await client.get(f"/report/alerts{query}")).json()["data"]) != count:
        await asyncio.sleep(0.05)
    return found  # type: ignore[no-any-return]


async def test_an_alert_is_found_acknowledged_and_silenced(client: httpx.AsyncClient) -> None:
    await client.post(RULES, json=RULE)
    await client.post("/report/metrics", content=body(metrics=BAD))
    (alert,) = await alerts(client, "?state=firing")
    assert (alert["room_id"], alert["user_id"], alert["metric"], alert["state"]) == ("room-1", "u1", "score", "firing")
    assert alert["path"] == "rooms/room-1/users/u1"
    assert (await client.get("/report/alerts?severity=critical")).json()["data"] == []
    answer = await client.post(f"/report/alerts/{alert['id']}/acknowledge", json={"note": "on it"})
    assert answer.json()["data"]["acknowledged"] == {"by": "anonymous", "at": NOW, "note": "on it"}
    quiet = await client.post(SILENCES, json={"room_id": "room-1", "until": NOW + 60, "reason": "maintenance"})
    assert quiet.status_code == 201
    (alert,) = await alerts(client, "?room_id=room-1&state=firing")
    assert alert["silenced_until"] == NOW + 60
    assert (await client.get(SILENCES)).json()["data"] == [quiet.json()["data"]]
    assert (await client.delete(f"{SILENCES}/{quiet.json()['data']['id']}")).status_code == 200
    assert (await client.get(f"/report/alerts/{alert['id']}/deliveries")).json()["data"] == []
    assert (await client.post("/report/alerts/x/acknowledge", json={})).status_code == 404


@pytest.mark.parametrize("query", ["state=bad", "severity=x", "limit=0", "from=x", "room_id=%00", "from=2&to=1"])
async def test_parameters_that_cannot_be_are_named(kept: httpx.AsyncClient, query: str) -> None:
    answer = await kept.get(f"/report/alerts?{query}")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(query.partition("=")[0])


async def test_a_preview_tells_what_a_rule_would_have_done(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    began = kept_clock.now
    for _ in range(5):
        await kept.post("/report/metrics", content=body(metrics=BAD, report_time=int(kept_clock())))
        kept_clock.advance(1)
    found = (await kept.post(f"{RULES}/preview", json={"rule": RULE, "from": began})).json()["data"]
    assert (found["firings"], found["noise"], found["from"]) == (1, 0, began)
    assert [alert["user_id"] for alert in found["alerts"]] == ["u1"]
    wrong = await kept.post(f"{RULES}/preview", json={"rule": RULE | {"for": -1}})
    assert wrong.json()["message"].startswith("$.rule.for: ")
    assert (await kept.post(f"{RULES}/preview", json={"rule": RULE, "from": 5, "to": 4})).status_code == 400
