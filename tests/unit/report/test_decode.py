import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given

from roompulse.errors import BadRequest, BodyTooLarge
from roompulse.report.decode import Largest, decode_report
from roompulse.report.model import Device, Entry, Event, Report
from tests.builders import REFERENCE, audio, body, report, stream, video
from tests.unit import reports

STREAM = "$.metrics[0].streams[0]"

WHOLE_FIGURES = [
    (f"{STREAM}.video.width", 65535),
    (f"{STREAM}.video.height", 65535),
    (f"{STREAM}.video.timestamp", 10**14),
    (f"{STREAM}.audio.sample_rate", 10**6),
    (f"{STREAM}.audio.channels", 64),
    (f"{STREAM}.audio.timestamp", 10**14),
    (f"{STREAM}.video.frames_dropped", 10**9),
    (f"{STREAM}.video.freeze_count", 10**9),
]
FIGURES = [
    (f"{STREAM}.video.frame_rate", 1000),
    (f"{STREAM}.video.bitrate", 10**7),
    (f"{STREAM}.audio.bitrate", 10**7),
    (f"{STREAM}.network.rtt", 600_000),
    (f"{STREAM}.network.jitter", 600_000),
    (f"{STREAM}.network.packet_loss", 100),
    (f"{STREAM}.video.freeze_duration", 600_000),
    (f"{STREAM}.audio.level", 1),
    (f"{STREAM}.audio.concealed", 100),
]
DEVICE = "$.metrics[0].device"
TEXTS = [f"{DEVICE}.{name}" for name in ("type", "os", "browser", "network_type")]
TEXTS += [f"{STREAM}.video.codec", f"{STREAM}.audio.codec", "$.metrics[0].connection.ice_state"]
NAMES = ["$.room_name", "$.metrics[0].user_name"]
PARTS = [f"{STREAM}.video", f"{STREAM}.audio", f"{STREAM}.network"]
OTHERS = [f"{STREAM}.video.content", f"{STREAM}.video.limited_by", f"{STREAM}.audio.muted", "$.labels", "$.events"]
OTHERS += [f"$.metrics[0].connection.{name}" for name in ("candidate_type", "protocol")]
PARTS_OF_ENTRIES = [DEVICE, "$.metrics[0].connection"]
OPTIONAL = [path for path, _ in WHOLE_FIGURES + FIGURES] + TEXTS + OTHERS + NAMES + PARTS + PARTS_OF_ENTRIES
REQUIRED_IDS = ["$.user_id", "$.room_id", "$.metrics[0].user_id", f"{STREAM}.stream_id"]
REQUIRED_LISTS = ["$.metrics", "$.metrics[0].streams"]
REQUIRED = [*REQUIRED_IDS, *REQUIRED_LISTS, "$.sdk_version", "$.report_time", f"{STREAM}.direction"]


def parent(document: Any, path: str) -> tuple[Any, Any]:
    """The object in `document` that holds the field at `path`, and the field's name."""
    *way, name = [int(step) if step.isdigit() else step for step in re.findall(r"\w+", path)]
    for step in way:
        document = document[step]
    return document, name


def document_for(path: str) -> Any:
    """The reference report, with a device or a connection if `path` leads into one."""
    document = json.loads(REFERENCE)
    for part in ("device", "connection"):
        if path.startswith(f"$.metrics[0].{part}."):
            document["metrics"][0][part] = {}
    return document


def having(path: str, token: str) -> bytes:
    """The reference report with the JSON text `token` at `path`."""
    document = document_for(path)
    place, name = parent(document, path)
    place[name] = "@"
    return json.dumps(document).replace('"@"', token).encode()


def lacking(path: str) -> bytes:
    document = document_for(path)
    place, name = parent(document, path)
    place.pop(name, None)
    return json.dumps(document).encode()


def at(path: str, decoded: Report) -> Any:
    place, name = parent(msgspec.to_builtins(decoded), path)
    return place[name]


def refusal(request_body: bytes) -> str:
    with pytest.raises(BadRequest) as refused:
        decode_report(request_body)
    return refused.value.message


def test_it_decodes_the_reference_report() -> None:
    whole = stream(video=video(timestamp=1746616000), audio=audio(timestamp=1746616000))
    assert decode_report(REFERENCE) == report(metrics=[Entry("u1", [whole])])


@given(reports)
def test_what_is_accepted_is_returned(sent: Report) -> None:
    assert decode_report(msgspec.json.encode(sent)) == sent


@pytest.mark.parametrize("path", REQUIRED)
def test_it_names_a_field_that_is_missing(path: str) -> None:
    assert refusal(lacking(path)) == f"{path}: required"


@pytest.mark.parametrize("path", REQUIRED)
def test_it_refuses_null_for_what_is_required(path: str) -> None:
    assert refusal(having(path, "null")).startswith(f"{path}: must be ")


@pytest.mark.parametrize("path", OPTIONAL)
def test_figures_and_parts_may_be_null_or_absent(path: str) -> None:
    assert at(path, decode_report(having(path, "null"))) is None
    assert at(path, decode_report(lacking(path))) is None


@pytest.mark.parametrize(("path", "most"), WHOLE_FIGURES + FIGURES)
def test_it_takes_figures_within_their_range_and_names_those_beyond(path: str, most: int) -> None:
    for figure in {0, most}:
        assert at(path, decode_report(having(path, str(figure)))) == figure
    assert refusal(having(path, "-1")) == f"{path}: must be at least 0"
    assert refusal(having(path, str(most + 1))) == f"{path}: must be at most {most}"


@pytest.mark.parametrize(("path", "most"), FIGURES)
def test_measured_figures_may_have_a_fraction(path: str, most: int) -> None:
    assert at(path, decode_report(having(path, "0.125"))) == 0.125
    assert at(path, decode_report(having(path, f"{most}.0"))) == most
    assert refusal(having(path, f"{most}.001")) == f"{path}: must be at most {most}"
    assert refusal(having(path, "-0.001")) == f"{path}: must be at least 0"


@pytest.mark.parametrize(("path", "most"), [*WHOLE_FIGURES, ("$.report_time", 10**11 - 1)])
def test_a_whole_number_may_be_written_with_a_point_but_have_no_fraction(path: str, most: int) -> None:
    for token, number in (("3.0", 3), ("42.0", 42), ("4.2e1", 42), ("-0.0", 0), (f"{most}.0", most)):
        figure = at(path, decode_report(having(path, token)))
        assert figure == number
        assert isinstance(figure, int)
    assert refusal(having(path, "42.5")).startswith(f"{path}: must be a ")


@pytest.mark.parametrize("path", [path for path, _ in WHOLE_FIGURES + FIGURES] + ["$.report_time"])
@pytest.mark.parametrize("token", ['"5"', "true", "[]", "{}"])
def test_it_refuses_what_is_no_number(path: str, token: str) -> None:
    assert refusal(having(path, token)).startswith(f"{path}: must be a ")


@pytest.mark.parametrize("path", [path for path, _ in WHOLE_FIGURES + FIGURES] + ["$.report_time"])
@pytest.mark.parametrize("token", [str(2**63), str(2**64), str(-(2**63) - 1), "9" * 400, "1e30", "1e999", "-1e999"])
def test_it_names_the_field_of_a_number_that_no_computer_holds(path: str, token: str) -> None:
    assert refusal(having(path, token)).startswith(f"{path}: must be ")


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "01", "+1", ".5", "5.", "0x10", "1_000", "None"])
def test_it_refuses_numbers_that_are_not_of_json(token: str) -> None:
    assert refusal(having(f"{STREAM}.network.rtt", token)).startswith("$: JSON is malformed")


@pytest.mark.parametrize("path", [*REQUIRED_IDS, "$.sdk_version", f"{STREAM}.direction"])
@pytest.mark.parametrize("token", ["5", "[]", "{}", "false"])
def test_it_refuses_what_is_no_text(path: str, token: str) -> None:
    assert refusal(having(path, token)).startswith(f"{path}: must be a string")


@pytest.mark.parametrize("path", REQUIRED_LISTS)
@pytest.mark.parametrize("token", ["5", "{}", '"[]"'])
def test_it_refuses_what_is_no_list(path: str, token: str) -> None:
    assert refusal(having(path, token)).startswith(f"{path}: must be an array")


@pytest.mark.parametrize("path", ["$.metrics[0]", STREAM, *PARTS, DEVICE])
@pytest.mark.parametrize("token", ["5", "[]", '"{}"'])
def test_it_refuses_what_is_no_object(path: str, token: str) -> None:
    assert refusal(having(path, token)).startswith(f"{path}: must be an object")


@pytest.mark.parametrize("path", REQUIRED_IDS)
def test_every_id_follows_the_rule_for_ids(path: str) -> None:
    for value in ("a/b c", "😀" * 128, "<script>"):
        assert at(path, decode_report(having(path, json.dumps(value)))) == value
    for value in ("", "😀" * 129, " a", "a\u3000", "a\n", "\u200b", ".", ".."):
        assert refusal(having(path, json.dumps(value))).startswith(f"{path}: ")


def test_it_names_the_stream_among_several() -> None:
    wrong = {"user_id": "u2", "streams": [{"stream_id": "mic", "direction": "send"}, {"stream_id": "camera"}]}
    sent = json.loads(REFERENCE)
    sent["metrics"].append(wrong)
    assert refusal(json.dumps(sent).encode()) == "$.metrics[1].streams[1].direction: required"
    sent["metrics"][1]["streams"][1] |= {"direction": "send", "stream_id": "camera "}
    fault = "must not begin or end with a blank"
    assert refusal(json.dumps(sent).encode()) == f"$.metrics[1].streams[1].stream_id: {fault}"


@pytest.mark.parametrize(("token", "shown"), [(r'"a\nb"', r"a\nb"), (r'"\u202e"', r"\u202e"), (r'"\u2028"', r"\u2028")])
def test_what_is_quoted_of_a_report_stays_in_its_line_and_order(token: str, shown: str) -> None:
    assert refusal(having(f"{STREAM}.direction", token)) == f"{STREAM}.direction: must be send or recv, not '{shown}'"


@pytest.mark.parametrize("path", [f"{STREAM}.network.rtt", f"{STREAM}.video.width", "$.report_time"])
def test_it_names_the_field_of_a_number_longer_than_python_reads(path: str) -> None:
    for token in ("9" * 5_000, "-" + "9" * 100_000):
        assert refusal(having(path, token)) == f"{path}: integer value out of range"


@pytest.mark.parametrize("token", ['"up"', '"SEND"', '""', '"send "', '"up - at `$.x`"'])
def test_a_direction_is_send_or_recv(token: str) -> None:
    fault = f"must be send or recv, not '{json.loads(token)}'"
    assert refusal(having(f"{STREAM}.direction", token)) == f"{STREAM}.direction: {fault}"


@pytest.mark.parametrize("path", TEXTS)
def test_other_texts_have_1_to_64_characters_and_are_named_where_they_have_not(path: str) -> None:
    for text in ("x", "é" * 64, "<b>"):
        assert at(path, decode_report(having(path, json.dumps(text)))) == text
    assert refusal(having(path, '""')) == f"{path}: must not be empty"
    assert refusal(having(path, json.dumps("é" * 65))) == f"{path}: must have at most 64 characters"
    for token in ("5", "[]", "true"):
        assert refusal(having(path, token)).startswith(f"{path}: must be a string")


@pytest.mark.parametrize("path", ["$.sdk_version", *TEXTS])
@pytest.mark.parametrize("control", ["\0", "\n", "\x1f", "\x7f", "\x85", "\x9f"])
def test_texts_have_no_control_characters_at_either_end_or_in_between(path: str, control: str) -> None:
    for text in (f"{control}1.2", f"1{control}2", f"1.2{control}"):
        fault = f"must not contain control characters (U+{ord(control):04X} at {text.index(control)})"
        assert refusal(having(path, json.dumps(text))) == f"{path}: {fault}"


@pytest.mark.parametrize("path", ["$.sdk_version", *TEXTS])
@pytest.mark.parametrize("odd", ["\u200b", "\u2028", "\xa0", "\xad", "\ue000", " 1.2 ", "\u202e"])
def test_texts_may_have_any_other_characters(path: str, odd: str) -> None:
    assert at(path, decode_report(having(path, json.dumps(odd)))) == odd


LARGEST = Largest(users=2, streams=3)


@pytest.mark.parametrize("streams", [(), (0,), (3,), (1, 2), (3, 0)])
def test_a_report_is_taken_up_to_the_largest_size(streams: tuple[int, ...]) -> None:
    entries = [Entry(f"u{number}", [stream()] * count) for number, count in enumerate(streams)]
    assert decode_report(body(metrics=entries), LARGEST) == report(metrics=entries)


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        ((0, 0, 0), "$.metrics: must have at most 2 entries"),
        ((4,), "$.metrics[0].streams: a report must have at most 3 streams"),
        ((0, 4), "$.metrics[1].streams: a report must have at most 3 streams"),
        ((3, 1), "$.metrics[1].streams: a report must have at most 3 streams"),
    ],
)
def test_a_report_past_the_largest_size_is_refused_by_what_is_too_much(streams: tuple[int, ...], message: str) -> None:
    entries = [Entry("a\n", [stream("b\n")] * count) for count in streams]  # nothing else is checked before
    with pytest.raises(BodyTooLarge) as refused:
        decode_report(body(metrics=entries), LARGEST)
    assert (refused.value.status, refused.value.message) == (413, message)


def test_content_is_camera_or_screen() -> None:
    path = f"{STREAM}.video.content"
    for content in ("camera", "screen"):
        assert at(path, decode_report(having(path, f'"{content}"'))) == content
    for token in ('"Screen"', '""', '"detail"'):
        assert refusal(having(path, token)) == f"{path}: must be camera or screen, not '{json.loads(token)}'"
    assert refusal(having(path, "5")).startswith(f"{path}: must be a string")


def test_muted_is_true_or_false() -> None:
    path = f"{STREAM}.audio.muted"
    for token in ("true", "false"):
        assert at(path, decode_report(having(path, token))) is json.loads(token)
    for token in ("0", "1", '"true"', "[]"):
        assert refusal(having(path, token)).startswith(f"{path}: must be true or false")


def test_an_sdk_version_has_1_to_64_characters() -> None:
    assert decode_report(body(sdk_version="é" * 64)).sdk_version == "é" * 64
    assert refusal(body(sdk_version="")).startswith("$.sdk_version: ")
    assert refusal(body(sdk_version="é" * 65)).startswith("$.sdk_version: ")


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (0, 0),
        (1746616000, 1746616000),
        (10**11 - 1, 10**11 - 1),
        (10**11, 10**8),
        (1746616000999, 1746616000),
        (10**14, 10**11),
    ],
)
def test_a_report_time_in_milliseconds_becomes_seconds(sent: int, seconds: int) -> None:
    assert decode_report(body(report_time=sent)).report_time == seconds


@pytest.mark.parametrize("sent", [-1, 10**14 + 1])
def test_it_refuses_a_report_time_out_of_range(sent: int) -> None:
    assert refusal(body(report_time=sent)).startswith("$.report_time: must be at ")


def test_an_empty_report_is_a_sign_of_life() -> None:
    assert decode_report(body(metrics=[])) == report(metrics=[])


def test_a_user_may_have_no_streams() -> None:
    assert decode_report(having("$.metrics[0].streams", "[]")).metrics[0].streams == []


@pytest.mark.parametrize("place", ["$", "$.metrics[0]", STREAM, *PARTS])
@pytest.mark.parametrize(
    "token", ["null", '{"a":[{"b":"\\n"}]}', '"\\u0000"', "1e999", "9" * 5000, "-0.0", "[" * 500 + "]" * 500]
)
def test_it_ignores_fields_that_it_does_not_know(place: str, token: str) -> None:
    assert decode_report(having(f"{place}.x", token)) == decode_report(REFERENCE)


@pytest.mark.parametrize("token", ["null", '{"a":[{"b":"\\n"}]}', "1e999", "[" * 500 + "]" * 500])
def test_it_ignores_them_beside_a_whole_number_with_a_point(token: str) -> None:
    sent = having("$.x", token).replace(b"1280", b"1280.0")
    assert decode_report(sent) == decode_report(REFERENCE)


def test_of_a_device_too() -> None:
    assert at(DEVICE, decode_report(having(f"{DEVICE}.maker", '"x"'))) == dict.fromkeys(Device.__struct_fields__)


def test_the_last_of_duplicate_keys_wins() -> None:
    sent = body(room_id="first")
    assert decode_report(sent[:-1] + b',"room_id":"last"}').room_id == "last"
    assert decode_report(b'{"room_id":5,' + sent[1:]).room_id == "first"
    assert refusal(sent[:-1] + b',"room_id":5}').startswith("$.room_id: ")


@pytest.mark.parametrize("bracket", [b"[", b'{"a":', b'[{"a":'])
def test_it_refuses_deep_nesting(bracket: bytes) -> None:
    deep = bracket * 100_000
    assert refusal(deep) == "$: the body is nested too deeply"
    assert refusal(having("$.x", "@").replace(b"@", deep)) == "$: the body is nested too deeply"
    assert refusal(b'{"metrics":' + deep) == "$: the body is nested too deeply"


def test_it_refuses_deep_nesting_that_is_closed_again() -> None:
    assert refusal(having("$.x", "[" * 50_000 + "]" * 50_000)) == "$: the body is nested too deeply"


@pytest.mark.parametrize("wrong", [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
@pytest.mark.parametrize("path", ["$.user_id", "$.sdk_version", "$.x", f"{STREAM}.x"])
def test_it_refuses_what_is_not_utf_8(path: str, wrong: bytes) -> None:
    assert refusal(having(path, '"@"').replace(b"@", wrong)).startswith("$: the body is not UTF-8 (byte ")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_it_refuses_other_encodings_and_a_byte_order_mark(encoding: str) -> None:
    assert refusal(REFERENCE.decode().encode(encoding)).startswith("$: ")


@pytest.mark.parametrize("escape", ["\\ud800", "\\udc00", "\\ud800x", "\\ud800\\u0041", "\\udc00\\ud800"])
@pytest.mark.parametrize("path", ["$.user_id", "$.sdk_version", f"{STREAM}.stream_id", f"{STREAM}.direction"])
def test_it_refuses_lone_surrogates(path: str, escape: str) -> None:
    assert refusal(having(path, f'"{escape}"')).startswith("$: ")


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert decode_report(having("$.user_id", '"\\ud83d\\ude00"')).user_id == "😀"


@pytest.mark.parametrize("wrong", [b"", b"  \n", b"null", b"[]", b'"x"', b"5", b"user_id=u1", b"{}{}", b"{'a':1}"])
def test_it_refuses_what_is_no_report(wrong: bytes) -> None:
    assert refusal(wrong).startswith("$: ")


def test_it_refuses_a_report_that_breaks_off_wherever_it_does() -> None:
    for length in range(len(REFERENCE)):
        assert refusal(REFERENCE[:length]).startswith("$")


@pytest.mark.parametrize("more", [b"x", b"{}", b",", b"\x00", b"// end"])
def test_it_refuses_anything_after_the_report_but_blanks(more: bytes) -> None:
    assert refusal(REFERENCE + more).startswith("$: JSON is malformed: trailing characters")
    assert decode_report(REFERENCE + b" \r\n\t") == decode_report(REFERENCE)


def test_it_takes_the_words_of_webrtc_for_a_limit_and_a_connection() -> None:
    words = {
        f"{STREAM}.video.limited_by": ["none", "cpu", "bandwidth", "other"],
        "$.metrics[0].connection.candidate_type": ["host", "srflx", "prflx", "relay"],
        "$.metrics[0].connection.protocol": ["udp", "tcp", "tls"],
    }
    for path, some in words.items():
        for word in some:
            assert at(path, decode_report(having(path, f'"{word}"'))) == word
        assert re.fullmatch(rf"{re.escape(path)}: must be .+, not 'up'", refusal(having(path, '"up"')))


@pytest.mark.parametrize("path", NAMES)
def test_a_name_has_1_to_128_characters_of_any_kind_but_control(path: str) -> None:
    for name in ("x", "x" * 128, " Stand-up ", "\u200fشادی", "👩\u200d💻 dev"):
        assert at(path, decode_report(having(path, json.dumps(name)))) == name
    assert refusal(having(path, '""')).startswith(f"{path}: ")
    assert refusal(having(path, json.dumps("x" * 129))).startswith(f"{path}: ")
    assert refusal(having(path, '"a\\nb"')) == f"{path}: must not contain control characters (U+000A at 1)"


class TestLabels:
    @pytest.mark.parametrize("labels", [{}, {"region": "eu-west"}, {"a": "x" * 64, f"z{'_' * 31}": " "}])
    def test_are_taken(self, labels: dict[str, str]) -> None:
        assert decode_report(having("$.labels", json.dumps(labels))).labels == labels

    @pytest.mark.parametrize(
        "labels",
        [
            {"": "x"},
            {"Region": "x"},
            {"1st": "x"},
            {"_x": "x"},
            {"a-b": "x"},
            {"a\n": "x"},
            {"a" * 33: "x"},
            {"region": ""},
            {"region": "x" * 65},
            {"region": "a\tb"},
            {"region": 5},
            {"region": None},
            {f"k{number}": "x" for number in range(9)},
        ],
    )
    def test_are_refused_with_their_field(self, labels: dict[str, Any]) -> None:
        assert refusal(having("$.labels", json.dumps(labels))).startswith("$.labels")


class TestEvents:
    def test_are_taken_with_their_time_in_seconds(self) -> None:
        sent = [{"type": "left", "time": 1746616000123}, {"type": "x" * 64, "stream_id": "mic", "detail": "y" * 500}]
        events = decode_report(having("$.events", json.dumps(sent))).events
        assert events == [Event("left", 1746616000), Event("x" * 64, None, "mic", "y" * 500)]
        assert decode_report(having("$.events", "[]")).events == []

    def test_of_a_report_may_be_a_hundred(self) -> None:
        hundred = json.dumps([{"type": "muted"}] * 100)
        assert len(decode_report(having("$.events", hundred)).events or ()) == 100
        assert refusal(having("$.events", hundred.replace("]", ', {"type": "muted"}]'))).startswith("$.events: ")

    @pytest.mark.parametrize(
        ("event", "field"),
        [
            ({}, "$.events[0].type"),
            ({"type": ""}, "$.events[0].type"),
            ({"type": "x" * 65}, "$.events[0].type"),
            ({"type": "a\nb"}, "$.events[0].type"),
            ({"type": "x", "time": -1}, "$.events[0].time"),
            ({"type": "x", "time": "now"}, "$.events[0].time"),
            ({"type": "x", "stream_id": " mic"}, "$.events[0].stream_id"),
            ({"type": "x", "detail": "y" * 501}, "$.events[0].detail"),
            ({"type": "x", "detail": "\u0007"}, "$.events[0].detail"),
        ],
    )
    def test_are_refused_with_their_field(self, event: dict[str, Any], field: str) -> None:
        assert refusal(having("$.events", json.dumps([event]))).startswith(field)


def test_only_a_body_with_a_float_for_a_whole_number_is_walked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """That takes as long as all the rest, 20 ms for 600 kB."""
    walked: list[object] = []

    def walk(value: object) -> object:
        walked.append(value)
        return value

    monkeypatch.setattr("roompulse.report.decode._with_integers", walk)
    assert refusal(having("$.role", "7")).startswith("$.role: must be a string")
    assert decode_report(b'{"room_id":5,' + REFERENCE.lstrip()[1:]) == decode_report(REFERENCE)
    assert walked == []
    refusal(having("$.report_time", "1.5"))
    assert len(walked) == 1
