/** Types of roompulse.js. */

export interface RoomPulseOptions {
  /** Where the roompulse server is, as in "https://pulse.example.org". */
  url: string;
  /** The room's id, 1 to 128 characters. */
  room: string;
  /** The id of the user of this page, 1 to 128 characters. */
  user: string;
  /** A room token, where the server asks for one. */
  token?: string;
  /** Seconds between reports, 1 or more; 5 if not given. */
  interval?: number;
  /** Told what is wrong, each fault once until it is over; if not given, the console is. */
  onError?: (error: Error) => void;
}

export interface StreamInfo {
  /** Of the transceiver. */
  mid: string;
  /** Of the stream; of simulcast, of one of its layers. */
  ssrc: number;
  /** "send" is what this page sends, "recv" what it receives. */
  direction: "send" | "recv";
  kind: "audio" | "video";
}

export interface StreamName {
  /** Whose media it is that this page receives. */
  user?: string;
  /** The stream's id: "camera", "mic" or "screen" if not given. An id that begins with "screen" is a screen's. */
  stream?: string;
}

/** Asked about each stream at every sample; the track is null where nothing is sent. A string is a user. */
export type NameFunction = (
  track: MediaStreamTrack | null,
  info: StreamInfo,
) => StreamName | string | null | undefined;

export interface WatchOptions {
  /** From whom this page receives: the other user of a connection between two, or a function that knows. */
  name?: string | NameFunction;
}

export class RoomPulse {
  constructor(options: RoomPulseOptions);
  /** The room token: set a newer one before it expires, or once the server has refused it (`onError` is told). */
  token?: string;
  /** Report on `connection` until it is closed, fails or is let go of. */
  watch(connection: RTCPeerConnection, options?: WatchOptions): void;
  /** Let go of `connection` with a last report; resolves when that is posted, or given up. */
  unwatch(connection: RTCPeerConnection): Promise<void>;
  /** Let go of every connection. */
  stop(): Promise<void>;
}

/** What reports give as their `sdk_version`. */
export const SDK_VERSION: string;
