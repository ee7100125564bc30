"""The score of one stream: a base minus the costs of its terms."""

from math import log

from roompulse.quality.scale import BASE, BASE_R, BEST, UNRATED, WORST, StreamQuality, Term, level_of, mos
from roompulse.report.model import Network, Stream, Video

FRAME_RATE_WINDOW = 60.0
"""Seconds that earlier reports of a stream count: the highest of their frame rates is what it can reach, and the time
that a freeze is a share of begins with the newest of them."""

_MOST_EXPECTED_FPS, _LEAST_EXPECTED_FPS = 30.0, 15.0
_ENOUGH_OF_EXPECTED = 0.8
"""Share of the expected frame rate from which on more frames are no better."""

_FRAME_RATE_SLOPE, _NO_FRAMES = 1.9, 2.5
"""Points for each factor e of missing frames (the regression of ggarber/rtcscore), and the most: that of no frames."""

_ENOUGH_BITS_PER_PIXEL = 0.04
"""For VP8, H264 and unknown codecs; chosen here: 922 kbit/s of 1280×720 at 25 fps. Below it compression is seen."""

_SHARE_OF_BITS = {"VP9": 0.7, "H265": 0.7, "HEVC": 0.7, "AV1": 0.5, "AV1X": 0.5}
"""What newer codecs need of that for the same picture."""

_PICTURE_SLOPE, _WORST_PICTURE = 0.56, 1.5
"""Points for each factor e of missing bits per pixel (the same regression), and the most, chosen here."""

_LOSS_WEIGHT, _VIDEO_LOSS_WEIGHT = 2.5, 5.0
"""R for each percent of loss: Twilio's for Opus, which repairs some; LiveKit weighs loss of video twice."""

_CONCEALMENT_WEIGHT = 5.0
"""R for each percent of concealed sound, which is what repair did not save: 7 %, which Teams calls poor, are 3.09."""

_FREEZE_WEIGHT = 5.0
"""Points for all of the time, chosen here: from half of it on a freeze costs as much as no frames at all."""

_SECONDS_OF_A_FREEZE = 0.5
"""What a freeze counts for that is reported without its duration."""

_NO_NETWORK = Network()


def expected_frame_rate(highest: float) -> float:
    """Frames per second that a camera should have, given the `highest` it reported within FRAME_RATE_WINDOW."""
    return max(min(highest, _MOST_EXPECTED_FPS), _LEAST_EXPECTED_FPS)


def is_screen(stream: Stream) -> bool:
    """Whether a stream shows a screen: by what it says of its content, else by its id."""
    content = stream.video.content if stream.video else None
    return content == "screen" if content else stream.stream_id.startswith("screen")


def rate_stream(stream: Stream, highest_frame_rate: float, seconds: float | None = None) -> StreamQuality:
    """Rate one sample; `highest_frame_rate` (fps) is the highest of its stream within FRAME_RATE_WINDOW.

    `seconds` is the interval that it covers; None if that is not known.
    """
    if not _can_be_rated(stream):
        return UNRATED
    video, audio = stream.video, stream.audio
    concealed = audio.concealed if audio and stream.direction == "recv" else None
    terms = _network_terms(stream.network or _NO_NETWORK, concealed or 0.0, with_video=video is not None)
    if video:
        if not is_screen(stream):
            terms += _camera_terms(video, expected_frame_rate(highest_frame_rate))
        if seconds and (frozen := _frozen(video)):
            terms.append(_freeze_term(frozen / seconds))
    cost = 0.0
    for term in terms:
        cost += term.cost
    score = round(min(BEST, max(WORST, BASE - cost)), 2)
    shown = [Term(term.term, round(term.cost, 2), term.value, term.unit) for term in terms if term.cost > 0]
    return StreamQuality(score, level_of(score), shown)


def _can_be_rated(stream: Stream) -> bool:
    """Whether there are figures. A received stream without frames or bits is neither good nor bad: nothing flows."""
    video, audio, network = stream.video, stream.audio, stream.network
    if (video and (video.frame_rate is not None or video.bitrate)) or (audio and audio.bitrate):
        return True
    if network is None or network.rtt is network.packet_loss is network.jitter is None:
        return False
    is_known = (video and video.bitrate is not None) or (audio and audio.bitrate is not None)
    return stream.direction == "send" or not is_known


def is_sent(stream: Stream) -> bool:
    """Whether the sender's own figures say that there is something to receive."""
    video, audio = stream.video, stream.audio
    if video and (video.bitrate or video.frame_rate):
        return True
    if audio and audio.muted:
        return False
    if audio and audio.bitrate:
        return True
    is_known = (video and video.bitrate is not None) or (audio and audio.bitrate is not None)
    return _can_be_rated(stream) and not is_known


# The functions that follow leave out what costs nothing: every newest sample is rated, and most cost little.
def _network_terms(network: Network, concealed: float, *, with_video: bool) -> list[Term]:
    terms = []
    r, delayed = BASE_R, BASE
    rtt, jitter = network.rtt, network.jitter
    if rtt is not None or jitter is not None:
        delay = (rtt or 0) + 2 * (jitter or 0) + 10
        r -= delay / 40 if delay < 160 else (delay - 120) / 10
        delayed = mos(r)
        terms.append(Term("delay", BASE - delayed, delay, "ms"))
    loss = network.packet_loss or 0
    lost = (_VIDEO_LOSS_WEIGHT if with_video else _LOSS_WEIGHT) * loss
    # Loss and concealment measure the same gaps, so only the larger one costs.
    if _CONCEALMENT_WEIGHT * concealed > lost:
        terms.append(Term("concealment", delayed - mos(r - _CONCEALMENT_WEIGHT * concealed), concealed, "%"))
    elif loss:
        terms.append(Term("loss", delayed - mos(r - lost), loss, "%"))
    return terms


def _camera_terms(video: Video, expected: float) -> list[Term]:
    terms = []
    fps = video.frame_rate
    if fps is not None and (cost := _frame_rate_cost(fps, expected)):
        terms.append(Term("frame_rate", cost, fps, "fps"))
    if fps and (width := video.width) and (height := video.height) and (bitrate := video.bitrate) is not None:
        bits_per_pixel = 1000 * bitrate / (width * height * fps)
        if cost := _picture_cost(bits_per_pixel, bits_needed(video.codec)):
            terms.append(Term("picture", cost, round(bits_per_pixel, 4), "bit/pixel"))
    return terms


def _frame_rate_cost(fps: float, expected: float) -> float:
    enough = _ENOUGH_OF_EXPECTED * expected
    if fps >= enough:
        return 0.0
    return min(_NO_FRAMES, _FRAME_RATE_SLOPE * log(enough / fps)) if fps > 0 else _NO_FRAMES


def bits_needed(codec: str | None) -> float:
    """Bits per pixel that a codec (`VP9`, or `video/VP9`, in any case) needs for a picture that costs nothing."""
    name = codec.rpartition("/")[2].upper().replace(".", "") if codec else ""
    return _ENOUGH_BITS_PER_PIXEL * _SHARE_OF_BITS.get(name, 1.0)


def _picture_cost(bits_per_pixel: float, needed: float) -> float:
    if bits_per_pixel >= needed:
        return 0.0
    # The smallest bitrates come out as 0 bits per pixel, too.
    if bits_per_pixel == 0:
        return _WORST_PICTURE
    return min(_WORST_PICTURE, _PICTURE_SLOPE * log(needed / bits_per_pixel))


def _frozen(video: Video) -> float:
    """Seconds that the picture stood still."""
    if video.freeze_duration is not None:
        return video.freeze_duration
    return _SECONDS_OF_A_FREEZE * (video.freeze_count or 0)


def _freeze_term(share: float) -> Term:
    share = min(share, 1.0)
    return Term("freeze", min(_NO_FRAMES, _FREEZE_WEIGHT * share), round(100 * share, 2), "%")
