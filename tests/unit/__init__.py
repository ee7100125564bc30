"""Tests of one module each. Their hypothesis strategies are defined here."""

import re

from hypothesis import settings
from hypothesis import strategies as st

from roompulse.report.model import Audio, Connection, Device, Entry, Event, Network, Report, Stream, Video

# The same examples in every run, however slow the machine: a test that fails today fails tomorrow.
settings.register_profile("roompulse", derandomize=True, deadline=None)
settings.load_profile("roompulse")

_characters = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"], include_characters="\u200c\u200d")
_misplaced_joiner = re.compile("\\A[\u200c\u200d]|[\u200c\u200d]{2}|[\u200c\u200d]\\Z")
ids = st.text(_characters, min_size=1, max_size=128).filter(
    lambda text: text == text.strip() and text not in {".", ".."} and not _misplaced_joiner.search(text)
)
times = st.none() | st.integers(0, 10**14)


def wholes(most: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(0, most)


def figures(most: int) -> st.SearchStrategy[float | None]:
    return st.none() | st.integers(0, most) | st.floats(0, most)


texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=64)
videos = st.builds(
    Video,
    timestamp=times,
    frame_rate=figures(1000),
    width=wholes(65535),
    height=wholes(65535),
    bitrate=figures(10**7),
    codec=st.none() | texts,
    frames_dropped=wholes(10**9),
    freeze_count=wholes(10**9),
    freeze_duration=figures(600_000),
    content=st.sampled_from([None, "camera", "screen"]),
    limited_by=st.sampled_from([None, "none", "cpu", "bandwidth", "other"]),
)
audios = st.builds(
    Audio,
    timestamp=times,
    sample_rate=wholes(10**6),
    channels=wholes(64),
    bitrate=figures(10**7),
    codec=st.none() | texts,
    level=figures(1),
    muted=st.none() | st.booleans(),
    concealed=figures(100),
)
devices = st.none() | st.builds(Device, **dict.fromkeys(Device.__struct_fields__, st.none() | texts))
networks = st.builds(Network, rtt=figures(600_000), packet_loss=figures(100), jitter=figures(600_000))
streams = st.builds(
    Stream,
    stream_id=ids,
    direction=st.sampled_from(["send", "recv"]),
    video=st.none() | videos,
    audio=st.none() | audios,
    network=st.none() | networks,
)
names = st.none() | st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=128)
connections = st.none() | st.builds(
    Connection,
    candidate_type=st.sampled_from([None, "host", "srflx", "prflx", "relay"]),
    protocol=st.sampled_from([None, "udp", "tcp", "tls"]),
    ice_state=st.none() | texts,
)
labels = st.none() | st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True), texts, min_size=1, max_size=8
)
events = st.builds(
    Event,
    type=texts,
    time=st.none() | st.integers(0, 10**11 - 1),
    stream_id=st.none() | ids,
    detail=st.none() | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=500),
)
entries = st.builds(
    Entry,
    user_id=ids,
    streams=st.lists(streams, max_size=3),
    device=devices,
    user_name=names,
    connection=connections,
)
reports = st.builds(
    Report,
    user_id=ids,
    room_id=ids,
    sdk_version=texts,
    report_time=st.integers(0, 10**11 - 1),
    metrics=st.lists(entries, max_size=3),
    room_name=names,
    labels=labels,
    events=st.none() | st.lists(events, min_size=1, max_size=3),
)
"""Reports that ingest accepts."""
