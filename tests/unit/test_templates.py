from roompulse.web.templates import clock, moment

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
