"""When the SDK samples and posts, what it keeps, and that no failure disturbs the application."""

from typing import Any

import pytest

from e2e.sdk.worlds import World
from roompulse.report.decode import decode_report

OK = "{}"


def streams(post: Any) -> dict[str, list[str]]:
    """The stream ids of a report by user."""
    return {entry["user_id"]: [one["stream_id"] for one in entry["streams"]] for entry in post["metrics"]}


def test_it_reports_every_five_seconds_what_happened_in_them(world: World) -> None:
    world.set_up()
    world.watch()
    world.wait(15)
    posts = world.posts()
    assert [post["report_time"] for post in posts] == [1_800_000_006, 1_800_000_011, 1_800_000_016]
    assert {post["url"] for post in posts} == {"http://roompulse.test/report/metrics"}
    assert {post["method"] for post in posts} == {"POST"}
    last = posts[-1]
    assert (last["user_id"], last["room_id"]) == ("u1", "room-1")
    (camera,) = last["metrics"][0]["streams"]
    assert camera["video"]["bitrate"] == 800
    assert world.errors() == []


def test_the_server_takes_what_it_posts(world: World) -> None:
    world.set_up()
    world.watch()
    world.wait(10)
    body = world.do("JSON.stringify(posts.at(-1))").encode()
    report = decode_report(body)
    assert report.sdk_version == world.do("import('/roompulse.js').then(({ SDK_VERSION }) => SDK_VERSION)")
    assert report.metrics[0].streams[0].stream_id == "camera"
    device = world.posts()[-1]["metrics"][0]["device"]
    assert device == device | {"type": "desktop", "os": "Linux", "browser": "Chrome"}


@pytest.mark.parametrize(("interval", "expected"), [("2", 5), ("0", 2), ("NaN", 2), ("'soon'", 2)])
def test_the_interval_is_an_option_and_nonsense_is_the_default(world: World, interval: str, expected: int) -> None:
    world.set_up(interval=world.do(interval))
    world.watch()
    world.wait(10.1)
    assert len(world.posts()) == expected


@pytest.mark.parametrize("url", ["http://roompulse.test/", "http://roompulse.test//", "http://roompulse.test"])
def test_the_url_may_end_with_a_slash(world: World, url: str) -> None:
    world.set_up(url=url)
    world.watch()
    world.wait(5)
    assert world.posts()[0]["url"] == "http://roompulse.test/report/metrics"


def test_several_connections_make_one_report_and_each_stream_keeps_its_name(world: World) -> None:
    world.set_up()
    world.watch("a")
    world.watch("b")
    world.watch("c")
    world.wait(10)
    assert streams(world.posts()[-1]) == {"u1": ["camera", "camera-2", "camera-3"]}
    world.do("a.connectionState = 'closed'")
    world.wait(10)
    assert streams(world.posts()[-1]) == {"u1": ["camera-2", "camera-3"]}
    world.watch("d")
    world.wait(10)
    assert sorted(streams(world.posts()[-1])["u1"]) == ["camera", "camera-2", "camera-3"]


def test_an_id_that_means_something_to_javascript_is_an_id(world: World) -> None:
    world.set_up(user="__proto__")
    world.watch()
    world.wait(10)
    assert streams(world.posts()[-1]) == {"__proto__": ["camera"]}


@pytest.mark.parametrize("option", ["user", "room"])
def test_an_id_may_be_a_number(world: World, option: str) -> None:
    for value, text in {"42": "42", "7n": "7", "0": "0", "-1.5": "-1.5", "' a'.trim()": "a"}.items():
        world.set_up()
        world.do(f"""(async () => {{
            const {{ RoomPulse }} = await import("/roompulse.js");
            window.pulse = new RoomPulse({{ url: 'http://roompulse.test', room: 'r', user: 'u', {option}: {value},
                onError: ({{ message }}) => errors.push(message) }});
            0;
        }})()""")
        world.watch()
        world.wait(10)
        report = decode_report(world.do("JSON.stringify(posts.at(-1))").encode())
        assert getattr(report, f"{option}_id") == text
        assert report.metrics[0].user_id == report.user_id
        assert world.errors() == []
        world.do("pulse.stop()")


NO_TEXTS = {
    "undefined": "undefined",
    "null": "null",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "true": "true",
    "{}": "object",
    "['u1']": "object",
    "() => 'u1'": "function",
    "Symbol('u1')": "Symbol(u1)",
}


@pytest.mark.parametrize("option", ["user", "room"])
def test_an_id_that_is_no_text_is_an_error_that_names_it_and_nothing_is_posted(world: World, option: str) -> None:
    world.set_up()
    world.do(f"""(async () => {{
        const {{ RoomPulse }} = await import("/roompulse.js");
        const onError = ({{ message }}) => errors.push(message);
        window.pulses = [{",".join(NO_TEXTS)}].map((value) => {{
            const ids = {{ user: "u1", room: "r1", {option}: value }};
            return new RoomPulse({{ url: "http://roompulse.test", onError, ...ids }});
        }});
        0;
    }})()""")
    assert world.errors() == [
        f"roompulse: {option} must be a string or a number, not {given}" for given in NO_TEXTS.values()
    ]
    world.do("pulses.forEach((one) => one.watch(new Connection()))")
    world.wait(10)
    world.do("pulses.forEach((one) => one.stop())")
    world.do("dispatchEvent(new Event('pagehide'))")
    assert world.posts() == world.do("beacons") == []


def test_a_name_that_is_no_text_is_an_error_and_other_connections_are_reported(world: World) -> None:
    world.set_up()
    world.watch("other")
    world.watch("pc", "{ name: () => ({ user: { id: 42 } }) }")
    world.wait(15)
    assert streams(world.posts()[-1]) == {"u1": ["camera"]}
    assert world.errors() == [
        "roompulse: TypeError: the user that name() answers must be a string or a number, not object"
    ]


def test_names_and_labels_of_the_page_are_in_every_report(world: World) -> None:
    world.set_up(roomName="Stand-up", userName="Ada L.", labels={"region": "eu", "build": 7})
    world.watch()
    world.wait(10)
    for post in world.posts():
        assert (post["room_name"], post["metrics"][0]["user_name"]) == ("Stand-up", "Ada L.")
        assert post["labels"] == {"region": "eu", "build": "7"}
    world.set_up(roomName="r" * 200, userName=" \U0001f600" * 100, labels={"region": "e" * 99})
    world.watch()
    world.wait(10)
    (post,) = world.posts()[-1:]
    assert (len(post["room_name"]), len(post["metrics"][0]["user_name"])) == (128, 127)
    assert post["labels"] == {"region": "e" * 64}


def test_names_and_labels_that_cannot_be_shown_are_left_out(world: World) -> None:
    world.set_up(roomName={}, userName="  ", labels={"a": None})
    world.watch()
    world.wait(10)
    assert world.errors() == ["roompulse: roomName must be a string or a number, not object"]
    post = world.posts()[-1]
    assert "room_name" not in post
    assert "user_name" not in post["metrics"][0]
    assert post.get("labels") in (None, {})


def test_the_connection_of_the_user_is_in_its_entry(world: World) -> None:
    world.set_up()
    world.watch()
    world.do("""pc.iceConnectionState = "connected";
        const real = pc.getStats.bind(pc);
        pc.getStats = async () => new Map([...await real(),
          ["T", { id: "T", type: "transport", selectedCandidatePairId: "P" }],
          ["P", { id: "P", type: "candidate-pair", localCandidateId: "L" }],
          ["L", { id: "L", type: "local-candidate", candidateType: "relay", relayProtocol: "tcp" }]]); 0""")
    world.wait(10)
    assert world.posts()[-1]["metrics"][0]["connection"] == {
        "candidate_type": "relay",
        "protocol": "tcp",
        "ice_state": "connected",
    }


@pytest.mark.parametrize("skew", ["-60_000", "-2_000", "60_000"])
def test_a_clock_that_is_set_in_a_call_costs_one_interval(world: World, skew: str) -> None:
    world.set_up()
    world.watch()
    world.wait(15)
    world.do(f"pc.skew = {skew}")
    world.wait(20)
    found = [post["metrics"][0]["streams"] for post in world.posts()]
    assert [[one["video"]["bitrate"] for one in some] for some in found] == [*[[800]] * 3, [], *[[800]] * 3]


# Failures on the way


def test_reports_are_kept_while_offline_and_posted_later_with_their_own_time(world: World) -> None:
    world.set_up()
    world.watch()
    world.do("answers.push({ fault: 'Failed to fetch' }, { fault: 'Failed to fetch' }, { fault: 'Failed to fetch' })")
    world.wait(40)
    times = [post["report_time"] - 1_800_000_000 for post in world.posts()]
    failed = times.count(6) - 1
    assert failed == 3
    assert times[failed:] == [6, 11, 16, 21, 26, 31, 36, 41]
    (error,) = world.errors()
    assert error == "roompulse: http://roompulse.test/report/metrics cannot be reached: Failed to fetch"
    assert world.do("mostUnderWay") == 1


def test_it_waits_longer_and_longer_while_the_server_is_away(world: World) -> None:
    world.set_up()
    world.watch()
    world.do("answers.push(...Array(50).fill({ fault: 'Failed to fetch' })); window.tried = []")
    for _ in range(60):
        world.wait(5)
    tries = len(world.posts())
    assert 7 <= tries <= 14  # at 1, 2, 4, … 30 s, each up to half as long again, on a grid of 5 s


def test_the_oldest_reports_go_first_when_too_many_wait(world: World) -> None:
    world.set_up(interval=1)
    world.watch()
    world.do(
        "window.offline = true; const real = fetch; window.fetch = (...all) => "
        "offline ? Promise.reject(new TypeError('Failed to fetch')) : real(...all)"
    )
    world.wait(150)
    world.do("offline = false")
    world.wait(60)
    times = [post["report_time"] - 1_800_000_001 for post in world.posts()]
    assert times == list(range(times[0], 211))
    assert times[0] > 50
    assert times[0] <= 111


@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_the_server_asks(world: World, status: int) -> None:
    world.set_up()
    world.watch()
    world.do(f"answers.push({{ status: {status}, retryAfter: '20', json: {{ code: {status}, message: 'too many' }} }})")
    world.wait(5 + 19)
    assert len(world.posts()) == 1
    assert world.errors() == [f"roompulse: http://roompulse.test/report/metrics answers {status}: too many"]
    world.wait(16)
    times = [post["report_time"] - 1_800_000_001 for post in world.posts()]
    assert times == [5, 5, 10, 15, 20, 25, 30, 35, 40]


@pytest.mark.parametrize("status", [500, 502, 408])
def test_what_may_pass_is_tried_again(world: World, status: int) -> None:
    world.set_up()
    world.watch()
    world.do(f"answers.push({{ status: {status}, json: 'none' }})")
    world.wait(10)
    assert [post["report_time"] - 1_800_000_001 for post in world.posts()] == [5, 5, 10]


def test_a_refused_report_is_told_and_not_posted_again(world: World) -> None:
    world.set_up()
    world.watch()
    refused = "{ status: 400, json: { code: 400, message: '$.room_id: required' } }"
    world.do(f"answers.push({refused}, {refused})")
    world.wait(15)
    assert [post["report_time"] - 1_800_000_001 for post in world.posts()] == [5, 10, 15]
    assert world.errors() == ["roompulse: http://roompulse.test/report/metrics answers 400: $.room_id: required"]


@pytest.mark.parametrize("answer", ["{ status: 404, json: 'none' }", "{ json: 'none' }", "{ json: null }"])
def test_a_url_of_another_server_is_told(world: World, answer: str) -> None:
    world.set_up()
    world.watch()
    world.do(f"answers.push({answer})")
    world.wait(5)
    (error,) = world.errors()
    assert error.endswith(": no roompulse")


def test_a_fault_that_comes_back_is_told_again(world: World) -> None:
    world.set_up()
    world.watch()
    world.do("answers.push({ fault: 'down' }, {}, {}, {}, { fault: 'down' })")
    world.wait(40)
    assert len(world.errors()) == 2


def test_never_two_requests_at_a_time(world: World) -> None:
    world.set_up()
    world.watch()
    world.do("answers.push({ until: new Promise((resolve) => { window.release = resolve }) })")
    world.wait(20)
    assert len(world.posts()) == 1
    world.do("release()")
    world.wait(5)
    assert len(world.posts()) == 5
    assert world.do("mostUnderWay") == 1


# Leaving


def test_a_page_that_is_left_hands_over_what_was_not_posted(world: World) -> None:
    world.set_up()
    world.watch()
    world.do("answers.push({ until: new Promise(() => {}) })")
    world.wait(15)
    world.do("dispatchEvent(new Event('pagehide'))")
    beacons = world.do("beacons")
    assert [beacon["report_time"] - 1_800_000_001 for beacon in beacons] == [5, 10, 15]
    assert {beacon["type"] for beacon in beacons} == {"string"}  # which is sent as text/plain


def test_nor_does_a_page_that_is_left_disturb_a_server_that_asked_to_wait(world: World) -> None:
    world.set_up()
    world.watch()
    world.do("answers.push({ status: 503, retryAfter: '60', json: { code: 503, message: 'busy' } })")
    world.wait(10)
    world.do("dispatchEvent(new Event('pagehide'))")
    assert world.do("beacons") == []


def test_stop_ends_everything_with_a_last_report(world: World) -> None:
    world.set_up()
    world.watch()
    world.wait(10)
    world.page.clock.run_for(3_000)
    world.do("pulse.stop()")
    posts = world.posts()
    assert [post["report_time"] - 1_800_000_001 for post in posts] == [5, 10, 13]
    assert posts[-1]["metrics"][0]["streams"][0]["video"]["bitrate"] == 800
    asked = world.do("pc.asked")
    world.wait(60)
    world.do("dispatchEvent(new Event('pagehide'))")
    assert len(world.posts()) == 3
    assert world.do("pc.asked") == asked
    assert world.do("beacons") == []


LEFT = [{"type": "left", "time": 1_800_000_014}]


def test_the_last_report_of_stop_says_that_the_user_leaves(world: World) -> None:
    world.set_up()
    world.watch("a")
    world.watch("b")
    world.wait(10)
    world.page.clock.run_for(3_000)
    world.do("pulse.unwatch(b)")
    world.do("pulse.stop()")
    *others, last = world.posts()
    assert [post.get("events") for post in others] == [None] * 3
    assert last["events"] == LEFT
    assert [one["stream_id"] for one in last["metrics"][0]["streams"]] == ["camera"]
    decode_report(world.do("JSON.stringify(posts.at(-1))").encode())
    world.do("pulse.stop()")
    world.wait(20)
    assert len(world.posts()) == 4


def test_so_does_the_one_after_every_connection_was_closed(world: World) -> None:
    world.set_up()
    world.watch()
    world.wait(10)
    world.do("pc.connectionState = 'closed'")
    world.wait(3)
    world.do("pulse.stop()")
    assert world.posts()[-1]["events"] == LEFT
    assert [entry["streams"] for entry in world.posts()[-1]["metrics"]] == [[]]


def test_a_user_who_never_was_there_does_not_leave(world: World) -> None:
    world.set_up()
    world.do("pulse.stop()")
    assert world.posts() == []


def test_a_user_who_comes_back_is_there_again(world: World) -> None:
    world.set_up()
    world.watch()
    world.wait(10)
    world.do("pulse.stop()")
    world.do("pulse.watch(pc)")
    world.wait(10)
    assert [bool(post.get("events")) for post in world.posts()] == [False, False, True, False, False]
    world.do("pulse.stop(); pulse.watch(pc)")  # before the last report was made
    world.wait(10)
    assert [bool(post.get("events")) for post in world.posts()[5:]] == [False] * len(world.posts()[5:])
    world.do("pulse.stop()")
    assert world.posts()[-1]["events"]


@pytest.mark.parametrize("order", ["stop first", "page first"])
def test_a_page_that_stops_while_it_is_left_says_so_by_beacon(world: World, order: str) -> None:
    """`stop` measures, which a page that goes does not live to see."""
    world.set_up()
    if order == "stop first":
        world.do("addEventListener('pagehide', () => { pulse.stop(); })")
    world.watch()
    if order == "page first":
        world.do("addEventListener('pagehide', () => { pulse.stop(); })")
    world.wait(10)
    world.page.clock.run_for(3_000)
    world.do("pc.getStats = () => new Promise(() => {}); dispatchEvent(new Event('pagehide'))")
    beacons = world.do("beacons")
    assert [beacon.get("events") for beacon in beacons] == [LEFT]
    assert decode_report(world.do("JSON.stringify(beacons[0])").encode()).metrics == []
    # A page restored from the back/forward cache reports again once a connection is watched.
    world.do("dispatchEvent(new Event('pageshow')); window.next = new Connection(); pulse.watch(next)")
    world.wait(10)
    assert not world.posts()[-1].get("events")
    assert streams(world.posts()[-1])["u1"]


def test_a_last_report_that_waits_when_the_page_goes_is_handed_over(world: World) -> None:
    world.set_up()
    world.watch()
    world.do("answers.push({ until: new Promise(() => {}) })")
    world.wait(12)
    world.do("pulse.stop(); 0")
    world.wait(2)
    world.do("dispatchEvent(new Event('pagehide'))")
    events = [beacon.get("events") for beacon in world.do("beacons")]
    assert events[:-1] == [None] * 2
    assert events[-1][0]["type"] == "left"


def test_a_report_that_is_under_way_when_the_user_leaves_does_not_bring_them_back(world: World) -> None:
    world.set_up()
    world.watch()
    world.wait(7)
    world.do("""const real = pc.getStats.bind(pc); let asked = 0;
        pc.getStats = () => asked++ ? real() : new Promise((resolve) => setTimeout(() => resolve(real()), 3_000)); 0""")
    world.wait(4)  # the report of the tick waits for its figures
    world.do("pulse.stop(); 0")
    world.wait(10)
    assert [bool(post.get("events")) for post in world.posts()] == [False, True]


def test_stop_tries_once_more_what_could_not_be_posted(world: World) -> None:
    world.set_up()
    world.watch()
    world.do("answers.push(...Array(4).fill({ fault: 'Failed to fetch' }))")
    world.wait(21)
    before = len(world.posts())
    world.do("answers.length = 0; pulse.stop()")
    assert len(world.posts()) > before
    world.do("window.fetch = null; pulse.stop()")  # nothing is left to post, nor to throw


def test_unwatch_ends_with_a_last_report_about_that_connection(world: World) -> None:
    world.set_up()
    world.watch("a")
    world.watch("b")
    world.wait(10)
    world.page.clock.run_for(2_000)
    world.do("pulse.unwatch(b)")
    assert streams(world.posts()[-1]) == {"u1": ["camera-2"]}
    world.wait(10)
    assert streams(world.posts()[-1]) == {"u1": ["camera"]}
    world.do("pulse.unwatch({})")
    world.wait(5)
    assert streams(world.posts()[-1]) == {"u1": ["camera"]}


@pytest.mark.parametrize("state", ["closed", "failed"])
def test_a_connection_that_is_over_is_let_go_of(world: World, state: str) -> None:
    world.set_up()
    world.watch()
    world.wait(10)
    world.do(f"pc.connectionState = '{state}'")
    asked = world.do("pc.asked")
    world.wait(60)
    assert len(world.posts()) == 2
    assert world.do("pc.asked") == asked
    assert world.errors() == []
    # Watched again, as after a restart, it is reported again.
    world.do("pc.connectionState = 'connected'; pulse.watch(pc)")
    world.wait(10)
    assert streams(world.posts()[-1]) == {"u1": ["camera"]}


# Nothing troubles the application: `watch` of e2e/conftest.py fails on any uncaught error or rejection.


@pytest.mark.parametrize(
    "fault",
    [
        "pc.getStats = () => { throw new Error('no stats') }",
        "pc.getStats = async () => { throw new Error('no stats') }",
        "pc.getStats = async () => undefined",
        "pc.getStats = async () => new Map([['x', { id: 'x', type: 'outbound-rtp', mid: '0' }]])",
        "pc.getStats = () => new Promise(() => {})",
        "pc.getTransceivers = () => [{ mid: '0' }, null]",
    ],
)
def test_whatever_a_connection_does_the_others_are_reported(world: World, fault: str) -> None:
    world.set_up()
    world.watch("other")
    world.watch()
    world.do(fault)
    world.wait(30)
    assert streams(world.posts()[-1])["u1"][0] == "camera"
    assert len(world.posts()) >= 4
    assert len(world.errors()) <= 1


@pytest.mark.parametrize(
    "options",
    [
        "undefined",
        "null",
        "{}",
        "{ url: 5, room: 'r', user: 'u' }",
        "{ url: 'no url' }",
        "{ url: 'ftp://host', room: 'r', user: 'u' }",
    ],
)
def test_wrong_options_are_told_and_not_thrown(world: World, options: str) -> None:
    world.set_up()
    world.do(f"""(async () => {{
        const {{ RoomPulse }} = await import("/roompulse.js");
        const options = {options};
        window.told = [];
        window.console.warn = (text) => told.push(text);
        const pulse = new RoomPulse(options);
        const pc = new Connection();
        pulse.watch(pc, null);
        pulse.watch(pc, {{ name: 5 }});
        window.wrong = pulse;
    }})()""")
    world.do("window.fetch = async () => { throw new TypeError('Failed to parse URL') }")
    world.wait(6)
    world.do("dispatchEvent(new Event('pagehide'))")
    world.do("wrong.stop()")
    assert world.do("told.length") >= 1


@pytest.mark.parametrize("connection", ["undefined", "null", "5", "{}", "{ getTransceivers: () => [] }"])
def test_what_is_no_connection_is_told_and_not_thrown(world: World, connection: str) -> None:
    world.set_up()
    world.do(f"pulse.watch({connection}, {{}})")
    world.do(f"pulse.unwatch({connection})")
    world.wait(10)
    assert len(world.errors()) == 1


def test_a_name_that_throws_is_told_and_so_is_nothing_thrown_by_on_error(world: World) -> None:
    world.set_up()
    world.watch("pc", "{ name() { throw new Error('who?') } }")
    world.wait(10)
    assert world.errors() == ["roompulse: Error: who?"]
    world.do("""(async () => {
        const { RoomPulse } = await import("/roompulse.js");
        new RoomPulse({ url: "wrong", onError() { throw new Error("in onError") } });
    })()""")
