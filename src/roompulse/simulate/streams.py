"""The figures of participants as an SDK would report them."""

import math

from roompulse.client import Audio, Direction, Network, Stream, Video
from roompulse.simulate.participants import Link, Participant, Picture
from roompulse.simulate.troubles import Impairment

REPAIRED = 0.4
"""Share of the packets lost on the way to the media server that are sent again before they are forwarded."""

FULL_SIZE_UP_TO = 4
"""Users in a room up to which cameras are received in full size; in larger rooms as a layer of half the size."""

LAYER_BITRATE = 0.3
"""Share of the bitrate of the full size."""


def sent(participant: Participant, at: int) -> list[Stream]:
    """The streams that a user sends, measured there; `at` is Unix seconds."""
    network = _network(participant.up, participant.sending)
    streams = [
        Stream(stream_id, "send", video=_video(picture, participant.sending, at), network=network)
        for stream_id, picture in participant.pictures.items()
    ]
    return [*streams, _mic(participant, "send", network, at)]


def received(sender: Participant, receiver: Participant, users: int, at: int) -> list[Stream]:
    """The streams that one of `users` users receives of another, including the impairments of the sender's link."""
    network = _network(receiver.down, receiver.receiving)
    upstream = _network(sender.up, sender.sending)
    lost_before = (1 - REPAIRED) * (upstream.packet_loss or 0)
    network = Network(
        rtt=network.rtt,
        packet_loss=round(min(100, (network.packet_loss or 0) + lost_before), 2),
        jitter=round(math.hypot(network.jitter or 0, upstream.jitter or 0), 1),
    )
    streams = []
    for stream_id, picture in sender.pictures.items():
        layered = stream_id == "camera" and users > FULL_SIZE_UP_TO
        seen = _seen(sender.sending, receiver.receiving, lost_before, layered=layered)
        streams.append(Stream(stream_id, "recv", video=_video(picture, seen, at), network=network))
    return [*streams, _mic(sender, "recv", network, at)]


def _seen(sending: Impairment, receiving: Impairment, lost: float, *, layered: bool) -> Impairment:
    """The impairment of video at a receiver: a frame is lost with any of its packets."""
    return Impairment(
        frame_rate=sending.frame_rate * receiving.frame_rate * max(0.1, 1 - 4 * lost / 100),
        bitrate=sending.bitrate * receiving.bitrate * (LAYER_BITRATE if layered else 1) * (1 - lost / 100),
        smaller=sending.smaller * (2 if layered else 1),
    )


def _video(picture: Picture, by: Impairment, at: int) -> Video:
    return Video(
        timestamp=at,
        frame_rate=round(picture.frame_rate.value * by.frame_rate),
        width=picture.width // by.smaller,
        height=picture.height // by.smaller,
        bitrate=round(picture.bitrate.value * by.bitrate),
        codec="VP9",
    )


def _mic(participant: Participant, direction: Direction, network: Network, at: int) -> Stream:
    bitrate = 0 if participant.muted else round(participant.voice.value)
    muted = participant.muted if direction == "send" else None  # a receiver does not know
    return Stream("mic", direction, audio=Audio(at, 48_000, 1, bitrate, codec="opus", muted=muted), network=network)


def _network(link: Link, by: Impairment) -> Network:
    return Network(
        rtt=round(link.rtt.value + by.rtt),
        packet_loss=round(min(100, link.packet_loss.value + by.packet_loss), 2),
        jitter=round(link.jitter.value + by.jitter, 1),
    )
