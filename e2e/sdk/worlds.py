"""A small world for the SDK in a real browser: made-up peer connections, a made-up network, and time on demand."""

from typing import Any

from playwright.sync_api import Page

MEASURE = """
async ([samples, longest, name]) => {
  const { measure } = await import("/roompulse.js");
  const memory = { slots: {} };
  const named = name && eval(name);
  const alive = (track) => track && { ...track, getSettings: () => ({ displaySurface: track.displaySurface }) };
  return samples.map(({ connectionState, iceConnectionState, stats, transceivers, asked }) => {
    const getTransceivers = () => transceivers.map((one) => (
      { ...one, sender: { track: alive(one.sender) }, receiver: { track: alive(one.receiver) } }));
    const connection = { connectionState, iceConnectionState, getTransceivers };
    const found = measure(new Map(stats.map((stat) => [stat.id, stat])), connection, memory, longest,
      named, asked);
    return found.map(({ slot, found }) => JSON.parse(JSON.stringify(
      { user: slot.user, direction: slot.direction, stream: slot.stream, ...found })));
  });
}
"""

SET_UP = """
async (options) => {
  const { RoomPulse } = await import("/roompulse.js");
  Object.assign(window, { posts: [], beacons: [], errors: [], answers: [], underWay: 0, mostUnderWay: 0 });

  window.fetch = async (url, { body, method }) => {
    posts.push({ url: `${url}`, method, ...JSON.parse(body) });
    mostUnderWay = Math.max(mostUnderWay, ++underWay);
    const { status = 200, json = { code: 0 }, retryAfter, fault, until } = answers.shift() ?? {};
    await until;
    underWay--;
    if (fault) throw new TypeError(fault);
    return { status, headers: new Headers(retryAfter ? { "Retry-After": retryAfter } : {}), json: async () => {
      if (json === "none") throw new SyntaxError("no JSON");
      return json;
    } };
  };
  navigator.sendBeacon = (url, body) => beacons.push({ url: `${url}`, type: typeof body, ...JSON.parse(body) }) > 0;

  // A connection that sends one camera, by default of 20 fps and 800 kbit/s.
  window.Connection = class extends EventTarget {
    connectionState = "connected";
    iceConnectionState = "connected";
    asked = 0;
    skew = 0; // ms, of the clock of getStats()
    track = { id: "t", kind: "video", enabled: true, muted: false, readyState: "live" };
    async getStats() {
      this.asked++;
      const at = Date.now();
      const kind = this.track?.kind ?? "video";
      const stat = { id: "O", type: "outbound-rtp", kind, mid: "0", ssrc: 1, timestamp: at + this.skew,
        bytesSent: at * 100, packetsSent: at / 10,
        framesEncoded: at / 50, framesPerSecond: 20, frameWidth: 640, frameHeight: 480 };
      return new Map([[stat.id, stat]]);
    }
    getTransceivers() {
      return [{ mid: "0", currentDirection: "sendonly", sender: { track: this.track }, receiver: {} }];
    }
  };

  // A connection that receives a camera of an unknown user.
  window.Receiving = class extends Connection {
    track = new RTCPeerConnection().addTransceiver("video").receiver.track;
    async getStats() {
      const at = Date.now();
      const stat = { id: "I", type: "inbound-rtp", kind: "video", mid: "0", ssrc: 1, timestamp: at,
        bytesReceived: at * 100, packetsReceived: at / 10, packetsLost: 0, jitter: 0.01,
        framesDecoded: at / 50, framesReceived: at / 50, framesPerSecond: 20, frameWidth: 640, frameHeight: 480 };
      return new Map([[stat.id, stat]]);
    }
    getTransceivers() {
      return [{ mid: "0", currentDirection: "recvonly", sender: { track: null }, receiver: { track: this.track } }];
    }
  };
  window.pulse = new RoomPulse({ onError: ({ message }) => errors.push(message), ...options });
}
"""


class World:
    def __init__(self, page: Page, application: str) -> None:
        self.page = page
        page.goto(application)

    def measure(self, samples: list[Any], *, longest: float = 10_000, name: str | None = None) -> list[list[Any]]:
        """The SDK's figures of successive samples of one connection; `name` is JavaScript."""
        found: list[list[Any]] = self.page.evaluate(MEASURE, [samples, longest, name])
        return found

    def set_up(self, **options: Any) -> None:
        """A `pulse` of u1 in room-1, on a clock that stands still."""
        self.page.clock.install(time=1_800_000_000)
        self.page.clock.pause_at(1_800_000_001)
        options = {"url": "http://roompulse.test", "room": "room-1", "user": "u1"} | options
        self.page.evaluate(SET_UP, options)

    def do(self, javascript: str) -> Any:
        # Playwright would call a function that it evaluates to, as an assignment may.
        return self.page.evaluate(
            "(code) => [(0, eval)(code)].find((value) => typeof value !== 'function')", javascript
        )

    def watch(self, name: str = "pc", options: str = "{}") -> None:
        self.do(f"window.{name} = new Connection(); pulse.watch({name}, {options})")

    def wait(self, seconds: float) -> None:
        self.page.clock.run_for(int(1000 * seconds))
        self.do("new Promise((resolve) => queueMicrotask(resolve))")

    def posts(self) -> list[Any]:
        found: list[Any] = self.do("posts")
        return found

    def errors(self) -> list[str]:
        found: list[str] = self.do("errors")
        return found
