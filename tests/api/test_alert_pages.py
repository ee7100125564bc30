"""The pages of alerts, and operators' actions there."""

import re
from typing import Any

import httpx
import msgspec
import pytest

from roompulse.alerts.model import Rule
from roompulse.app import create_app
from roompulse.errors import BadRequest
from roompulse.settings import Settings
from roompulse.web.pages.rule_form import fields_of, rule_of
from tests.api.test_alerts import BAD, HOOK, RULE, alerts
from tests.builders import body
from tests.conftest import Clock, client_of
from tests.operators import SAME_SITE, add_operators, cookie_of, send_form
from tests.unit.alerts.test_validation import RULE as WHOLE

PAGE, RULES = "/alerts", "/alerts/rules"


async def text(client: httpx.AsyncClient, path: str) -> str:
    answer = await client.get(path)
    assert answer.status_code == 200
    return answer.text


async def submit(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    token = re.search(r'name="token" value="(\w+)"', await text(client, PAGE))
    assert token
    return await client.post(path, data={"token": token[1]} | fields, headers=SAME_SITE)


async def channels(client: httpx.AsyncClient, name: str) -> list[Any]:
    """The channels of this name."""
    found = (await client.get("/report/alerts/channels")).json()["data"]
    return [channel for channel in found if channel["name"] == name]


FORM = {"name": "Bad", "severity": "warning", "subject": "user", "enabled": "on", "for": "30"}
CONDITION = {"metric.0": "score", "op.0": "<", "value.0": "3.1", "clear.0": "3.5"}


async def test_a_firing_alert_is_on_the_list_the_page_of_its_room_and_of_all_rooms(client: httpx.AsyncClient) -> None:
    assert "No open alerts" in await text(client, PAGE)
    assert 'id="alerts-now"></div>' in await text(client, "/")
    await client.post("/report/alerts/rules", json=RULE | {"name": "<b>Poor</b>"})
    await client.post("/report/metrics", content=body(metrics=BAD))
    (alert,) = await alerts(client, "?state=firing")
    for path in (PAGE, "/rooms/room-1"):
        html = await text(client, path)
        assert "&lt;b&gt;Poor&lt;/b&gt;" in html
        assert f'name="id" value="{alert["id"]}"' in html
    assert "1 warning alert" in re.sub(r"\s+", " ", await text(client, "/"))
    assert "No open alerts" not in await text(client, PAGE)


async def test_an_alert_is_acknowledged_and_silenced_there(client: httpx.AsyncClient) -> None:
    await client.post("/report/alerts/rules", json=RULE)
    await client.post("/report/metrics", content=body(metrics=BAD))
    (alert,) = await alerts(client, "?state=firing")
    answer = await submit(client, "/alerts/acknowledge?next=/rooms/room-1", id=alert["id"], note="on it")
    assert (answer.status_code, answer.headers["location"]) == (303, "/rooms/room-1")
    assert "Acknowledged by anonymous" in await text(client, PAGE)
    answer = await submit(client, "/alerts/silence?next=https://evil.example", id=alert["id"])
    assert answer.headers["location"] == "/"
    assert "Silenced until" in await text(client, PAGE)
    assert "for an hour" in await text(client, RULES)
    assert (await submit(client, "/alerts/acknowledge", id="nothing")).status_code == 404


async def test_a_rule_is_made_changed_and_deleted_there(kept: httpx.AsyncClient) -> None:
    answer = await submit(kept, f"{RULES}/save", **FORM, **CONDITION)
    assert (answer.status_code, answer.headers["location"]) == (303, RULES)
    found = (await kept.get("/report/alerts/rules")).json()["data"]
    (made,) = [rule for rule in found if rule["name"] == "Bad"]
    assert made["when"] == [{"metric": "score", "op": "<", "value": 3.1, "clear": 3.5}]
    await submit(kept, f"{RULES}/save", **(FORM | CONDITION | {"id": made["id"], "for": "5"}))
    assert (await kept.get(f"/report/alerts/rules/{made['id']}")).json()["data"]["for"] == 5
    await submit(kept, f"{RULES}/remove", id=made["id"])
    assert (await kept.get(f"/report/alerts/rules/{made['id']}")).status_code == 404


async def test_a_rule_that_cannot_be_is_shown_again_with_what_is_wrong(kept: httpx.AsyncClient) -> None:
    answer = await submit(kept, f"{RULES}/save", **(FORM | CONDITION | {"value.0": "9"}))
    assert answer.status_code == 400
    assert re.search(r'role="alert">\$\.when\[0\]\.value: ', answer.text)
    assert 'name="value.0" value="9"' in answer.text


async def test_a_preview_says_how_often_it_would_have_fired(kept: httpx.AsyncClient, kept_clock: Clock) -> None:
    for _ in range(3):
        await kept.post("/report/metrics", content=body(metrics=BAD, report_time=int(kept_clock())))
        kept_clock.advance(1)
    answer = await submit(kept, f"{RULES}/preview", **(FORM | CONDITION | {"for": "0"}))
    assert "would have fired <b>1</b> time;" in answer.text
    assert 'href="rooms/room-1/users/u1?at=' in answer.text
    assert 'name="value.0" value="3.1"' in answer.text


async def test_silences_and_channels_are_added_and_removed_there(kept: httpx.AsyncClient) -> None:
    await submit(kept, "/alerts/silences/add", **{"room_id": "room-1", "for": "3600", "reason": "maintenance"})
    assert "maintenance" in await text(kept, RULES)
    (silence,) = (await kept.get("/report/alerts/silences")).json()["data"]
    await submit(kept, "/alerts/silences/remove", id=silence["id"])
    answer = await submit(kept, "/alerts/channels/add", name="hook", kind="webhook", target=HOOK["url"])
    secret = re.search(r"<code>(whsec_.*?)</code>", answer.text)
    assert secret
    assert secret[1] not in await text(kept, RULES)
    assert "hunter2" not in await text(kept, RULES)
    (channel,) = await channels(kept, "hook")
    assert "was not delivered" in (await submit(kept, "/alerts/channels/test", id=channel["id"])).text
    assert channel["call_ended"] is False
    await submit(kept, "/alerts/channels/remove", id=channel["id"])
    assert await channels(kept, "hook") == []


async def test_a_webhook_is_sent_reports_on_calls_where_its_box_is_checked(kept: httpx.AsyncClient) -> None:
    fields = {"name": "of calls", "kind": "webhook", "target": HOOK["url"], "call_ended": "on"}
    await submit(kept, "/alerts/channels/add", **fields)
    (channel,) = await channels(kept, "of calls")
    assert channel["call_ended"] is True
    assert "and reports on calls" in await text(kept, RULES)
    mail = fields | {"kind": "email", "target": "ops@example.com"}
    answer = await submit(kept, "/alerts/channels/add", **mail)
    assert (answer.status_code, "call_ended: only for webhook" in answer.text) == (400, True)


async def test_viewers_see_alerts_and_no_forms(settings: Settings, clock: Clock) -> None:
    await add_operators(settings, ada="admin", bob="viewer")
    async with client_of(create_app(settings, clock)) as client:
        pages = {name: (await client.get(PAGE, headers=cookie_of(name))).text for name in ("ada", "bob")}
        assert [name for name, html in pages.items() if 'id="alert-form"' in html] == ["ada"]
        assert (await client.get(RULES, headers=cookie_of("bob"))).status_code == 403
        answer = await send_form(client, f"{RULES}/remove", "bob", {"id": "user-poor"})
        assert answer.status_code == 403
        answer = await send_form(client, f"{RULES}/remove", "ada", {"id": "user-poor"})
        assert answer.status_code == 303


async def test_resolved_alerts_are_searched(client: httpx.AsyncClient) -> None:
    made = (await client.post("/report/alerts/rules", json=RULE)).json()["data"]
    await client.post("/report/metrics", content=body(metrics=BAD))
    await alerts(client, "?state=firing")
    await client.delete(f"/report/alerts/rules/{made['id']}")
    assert "the rule was removed" in await text(client, f"{PAGE}?q=ROOM-1")
    assert "No matching alerts" in await text(client, f"{PAGE}?q=elsewhere")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"enabled": False, "min_users": 3, "repeat": 600, "channels": ["c1", "c2"]},
        {"scope": {"room": "a*", "user": "?", "sdk_version": "1.*", "labels": {"region": "eu-*", "app": "x"}}},
        {"active": {"days": ["mon", "sun"], "from": "22:00", "to": "06:00", "zone": "Europe/Berlin"}},
    ],
)
def test_the_form_of_a_rule_makes_the_same_rule(change: dict[str, Any]) -> None:
    rule = msgspec.convert(WHOLE | change, Rule)
    assert rule_of(fields_of(rule)) == rule


@pytest.mark.parametrize(
    ("change", "field"),
    [({"for": "x"}, "$.for"), ({"value.0": ""}, "$.when[0].value"), ({"labels": "x"}, "$.scope.labels")],
)
def test_a_field_that_cannot_be_is_named(change: dict[str, str], field: str) -> None:
    with pytest.raises(BadRequest) as raised:
        rule_of(FORM | CONDITION | change)
    assert raised.value.message.startswith(f"{field}: ")
