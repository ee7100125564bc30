// The other end of examples/mediasoup.html: what a mediasoup server tells a client that receives, in front of a connection
// of this page that sends.

const sending = new RTCPeerConnection(); // before the SDK wraps the constructor
const sections = async () => (await described()).split(/^(?=m=)/m).slice(1);
const value = (sdp, pattern) => sdp.match(pattern)?.[1];
let offered;

function described() {
  return (offered ??= offer());
}

async function gathered(connection) {
  while (connection.iceGatheringState !== "complete") {
    await new Promise((resolve) => connection.addEventListener("icegatheringstatechange", resolve, { once: true }));
  }
  return connection.localDescription.sdp;
}

async function offer() {
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 240 } });
  for (const kind of ["audio", "video"]) {
    const [track] = media.getTracks().filter((one) => one.kind === kind);
    const transceiver = sending.addTransceiver(track, { direction: "sendonly" });
    const codecs = RTCRtpSender.getCapabilities(kind).codecs;
    transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => /opus|VP8/.test(mimeType)));
  }
  await sending.setLocalDescription();
  return gathered(sending);
}

/** The one codec of a section of the description. */
function codec(section) {
  const kind = value(section, /^m=(\w+)/);
  const [, payloadType, name, clockRate, channels] = section.match(/a=rtpmap:(\d+) (opus|VP8)\/(\d+)(?:\/(\d+))?/);
  return {
    kind,
    mimeType: `${kind}/${name}`,
    clockRate: Number(clockRate),
    channels: channels && Number(channels),
    preferredPayloadType: Number(payloadType),
    payloadType: Number(payloadType),
    parameters: {},
    rtcpFeedback: [],
  };
}

const answers = {
  capabilities: async () => ({ codecs: (await sections()).map(codec), headerExtensions: [] }),

  async transport() {
    const sdp = await described();
    const [algorithm, fingerprint] = value(sdp, /a=fingerprint:(.*?)\r/).split(" ");
    const candidates = [...sdp.matchAll(/a=candidate:(\S+) 1 (udp) (\d+) (\S+) (\d+) typ (host)/g)];
    return {
      id: "transport",
      iceParameters: { usernameFragment: value(sdp, /a=ice-ufrag:(.*?)\r/), password: value(sdp, /a=ice-pwd:(.*?)\r/) },
      iceCandidates: candidates.map(([, foundation, protocol, priority, address, port, type]) => (
        { foundation, protocol, priority: Number(priority), address, ip: address, port: Number(port), type })),
      dtlsParameters: { role: "auto", fingerprints: [{ algorithm, value: fingerprint }] },
    };
  },

  connect: async () => {},

  consumers: async () =>
    (await sections()).map((section, i) => ({
      owner: "u2",
      id: `consumer-${i}`,
      producerId: `producer-${i}`,
      kind: codec(section).kind,
      rtpParameters: {
        codecs: [codec(section)],
        headerExtensions: [],
        encodings: [{ ssrc: Number(value(section, /a=ssrc:(\d+)/)) }],
        rtcp: { cname: value(section, /cname:(\S+)/), reducedSize: true, mux: true },
      },
    })),
};

// A client tells a real server its own half piece by piece; here the answer with both sections says it all.
const setLocalDescription = RTCPeerConnection.prototype.setLocalDescription;
RTCPeerConnection.prototype.setLocalDescription = async function (...description) {
  await setLocalDescription.apply(this, description);
  if (this === sending || this.localDescription.type !== "answer" || this.getTransceivers().length < 2) return;
  const sdp = await gathered(this);
  if (sending.signalingState !== "stable") await sending.setRemoteDescription({ type: "answer", sdp });
};

export const request = (method) => answers[method]();
