import pytest

from roompulse.report.model import Audio, Video
from roompulse.web.html.templates import audio_notes, clock, moment, video_notes
from tests.builders import audio, video

AT = 1_795_447_210.25
"""2026-11-23 15:20:10.25 UTC"""


def test_a_clock_says_date_time_and_zone_and_where_to_find_them_for_scripts() -> None:
    assert clock(AT) == (
        '<time datetime="2026-11-23T15:20:10.250+00:00" data-at="1795447210.25" data-clock>'
        "2026-11-23 15:20:10 UTC</time>"
    )


def test_a_moment_says_its_time_and_has_the_rest_in_its_title() -> None:
    assert moment(AT) == (
        '<time datetime="2026-11-23T15:20:10.250+00:00" title="2026-11-23 15:20:10 UTC" data-at="1795447210.25">'
        "15:20:10 UTC</time>"
    )


def spoken(lines: list[list[str]]) -> list[str]:
    return [" · ".join(line).replace("\N{NO-BREAK SPACE}", " ") for line in lines]


@pytest.mark.parametrize(
    ("picture", "lines"),
    [
        (video(), []),
        (video(codec="VP9"), ["VP9"]),
        (video(content="camera"), []),
        (video(codec="AV1", content="screen", frames_dropped=0), ["AV1 · screen · 0 dropped"]),
        (
            video(codec="VP9", frames_dropped=12, freeze_count=2, freeze_duration=1.25),
            ["VP9 · 12 dropped", "2 freezes, 1.2 s"],
        ),
        (video(freeze_count=1, freeze_duration=10), ["1 freeze, 10.0 s"]),
        (video(freeze_count=3), ["3 freezes"]),
        (video(freeze_count=0, freeze_duration=0), ["no freezes"]),
        (video(freeze_duration=0.4), ["frozen 0.4 s"]),
        (video(freeze_duration=0), ["frozen 0.0 s"]),
    ],
)
def test_what_is_known_of_a_picture_is_said_in_a_few_words(picture: Video, lines: list[str]) -> None:
    assert spoken(video_notes(picture)) == lines


@pytest.mark.parametrize(
    ("sound", "lines"),
    [
        (audio(), []),
        (audio(muted=False), []),
        (audio(codec="opus", muted=True, level=0), ["opus · muted · level 0.00"]),
        (audio(level=0.125, concealed=0), ["level 0.12", "0.0 % concealed"]),
        (audio(concealed=12.55), ["12.6 % concealed"]),
    ],
)
def test_what_is_known_of_a_sound_is_said_in_a_few_words(sound: Audio, lines: list[str]) -> None:
    assert spoken(audio_notes(sound)) == lines
