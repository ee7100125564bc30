"""Synthetic getStats() in the shapes of browsers: a test names only the relevant counters."""

from typing import Any

START = 1_800_000_000_000.0
"""ms, as getStats() has them."""


def track(kind: str = "video", **states: Any) -> dict[str, Any]:
    return {"id": f"{kind}-track", "kind": kind, "enabled": True, "muted": False, "readyState": "live"} | states


def sample(
    *stats: dict[str, Any], direction: str = "sendonly", sent: Any = None, mids: str = "0", **fields: Any
) -> dict[str, Any]:
    """A getStats() with a transceiver for each of `mids`, sending `sent`. None leaves a member out."""
    transceivers = [
        {"mid": mid, "currentDirection": direction, "sender": sent or track(), "receiver": track()} for mid in mids
    ]
    known = [{name: value for name, value in stat.items() if value is not None} for stat in stats]
    return {"connectionState": "connected", "stats": known, "transceivers": transceivers} | fields


def outbound(at: float, *, ssrc: int = 1, **figures: Any) -> dict[str, Any]:
    """A camera `at` seconds into a call: 20 fps, 100 packets/s, 800 kbit/s."""
    return {
        "id": f"O{ssrc}",
        "type": "outbound-rtp",
        "kind": "video",
        "mid": "0",
        "ssrc": ssrc,
        "timestamp": START + 1000 * at,
        "codecId": "C",
        "bytesSent": 100_000 * at,
        "packetsSent": 100 * at,
        "framesEncoded": 20 * at,
        "framesPerSecond": 20,
        "frameWidth": 640,
        "frameHeight": 480,
        "qpSum": 20 * at * 30,
        "active": True,
    } | figures


def inbound(at: float, **figures: Any) -> dict[str, Any]:
    return {
        "id": "I1",
        "type": "inbound-rtp",
        "kind": "video",
        "mid": "0",
        "ssrc": 1,
        "timestamp": START + 1000 * at,
        "codecId": "C",
        "bytesReceived": 100_000 * at,
        "packetsReceived": 100 * at,
        "packetsLost": 0,
        "jitter": 0.008,
        "framesDecoded": 20 * at,
        "framesReceived": 20 * at,
        "framesPerSecond": 20,
        "frameWidth": 640,
        "frameHeight": 480,
        "qpSum": 20 * at * 30,
    } | figures


def heard(at: float, lost: int, **figures: Any) -> dict[str, Any]:
    """The receiver report that came `at` seconds into the call."""
    return {
        "id": "R1",
        "type": "remote-inbound-rtp",
        "kind": "video",
        "ssrc": 1,
        "timestamp": START + 1000 * at,
        "packetsLost": lost,
        "jitter": 0.012,
        "roundTripTime": 0.045,
    } | figures


def source(at: float, frames: float) -> dict[str, Any]:
    return {
        "id": "S1",
        "type": "media-source",
        "kind": "video",
        "timestamp": START + 1000 * at,
        "trackIdentifier": "video-track",
        "frames": frames,
    }


def mic(at: float, **figures: Any) -> dict[str, Any]:
    """A microphone that is received: 50 packets/s, 32 kbit/s, 48,000 samples/s."""
    return {
        "id": "I1",
        "type": "inbound-rtp",
        "kind": "audio",
        "mid": "0",
        "ssrc": 1,
        "timestamp": START + 1000 * at,
        "bytesReceived": 4_000 * at,
        "packetsReceived": 50 * at,
        "packetsLost": 0,
        "jitter": 0.004,
        "totalSamplesReceived": 48_000 * at,
        "concealedSamples": 0,
        "silentConcealedSamples": 0,
    } | figures


def pair(**local: Any) -> list[dict[str, Any]]:
    """The candidate pair in use, and the transport that names it."""
    return [
        {"id": "T", "type": "transport", "selectedCandidatePairId": "P"},
        {"id": "P", "type": "candidate-pair", "localCandidateId": "L", "currentRoundTripTime": 0.03},
        {"id": "L", "type": "local-candidate"} | local,
    ]


CODEC = {"id": "C", "type": "codec", "mimeType": "video/VP8", "clockRate": 90_000}
