/** Types of roompulse.js. */

export interface RoomPulseOptions {
  /** Where the roompulse server is, as in "https://pulse.example.org". */
  url: string | URL;
  /** The room's id, 1 to 128 characters. */
  room: string | number;
  /** The id of the user of this page, 1 to 128 characters. */
  user: string | number;
  /** A room token, where the server asks for one. */
  token?: string;
  /** Seconds between reports, 1 or more; 5 if not given. */
  interval?: number;
  /** Shown beside the room's id; cut to 128 characters. */
  roomName?: string | number;
  /** Shown beside the user's id; cut to 128 characters. */
  userName?: string | number;
  /** About this user's part of the call, as in { region: "eu", app: "web" }: up to 8, of 64 characters each. */
  labels?: Record<string, string | number>;
  /** Called with each fault once, until it is over; without it, faults go to the console. */
  onError?: (error: Error) => void;
}

export interface StreamInfo {
  /** Of the transceiver. */
  mid: string;
  /** Of the stream; of simulcast, of one of its layers. */
  ssrc: number;
  /** "send": sent by this page, "recv": received by it. */
  direction: "send" | "recv";
  kind: "audio" | "video";
}

export interface StreamName {
  /** Whose media it is that this page receives. */
  user?: string | number;
  /** The stream's id: "camera", "mic" or "screen" if not given. An id that begins with "screen" is a screen's. */
  stream?: string | number;
}

/**
 * Called for each stream at every sample; the track is null where nothing is sent. A string or number is a user, nothing
 * an unknown one, and false one that is not known yet: its stream is then reported once it is, or after 10 s as an
 * unknown user's.
 */
export type NameFunction = (
  track: MediaStreamTrack | null,
  info: StreamInfo,
) => StreamName | string | number | false | null | undefined;

export interface WatchOptions {
  /** The sender of received media: the other user of a connection between two, or a function that returns it. */
  name?: string | number | NameFunction;
}

/** A connection for `watch`: an RTCPeerConnection, or a wrapper of one. */
export interface Connection {
  getStats(): Promise<RTCStatsReport>;
  getTransceivers(): RTCRtpTransceiver[];
}

export class RoomPulse {
  constructor(options: RoomPulseOptions);
  /** Report on every RTCPeerConnection that is made from now on, once it has media. `from` names its sender. */
  static watchAll(options: RoomPulseOptions): RoomPulse;
  /** The room's id; when it is set, the user leaves the room before, with a last report. */
  get room(): string;
  set room(room: string | number);
  /** The room token: set a newer one before it expires, or once the server has refused it (`onError` is called). */
  token?: string;
  /** Report on `connection` until it is closed, fails or is unwatched. */
  watch(connection: Connection, options?: WatchOptions): void;
  /** Whose a received track, or a stream's tracks, are, whenever that is known; and, if given, the stream's id. */
  from(media: MediaStreamTrack | MediaStream, user: string | number, stream?: string | number): void;
  /** Stop reporting on `connection`, with a last report; resolves when that is posted, or given up. */
  unwatch(connection: Connection): Promise<void>;
  /** Undo `watchAll`, and stop reporting on every connection, with a last report. */
  unwatchAll(): Promise<void>;
  /** The user leaves: stop reporting on every connection, with a last report that says so. */
  stop(): Promise<void>;
}

/** What reports give as their `sdk_version`. */
export const SDK_VERSION: string;
