"""Recorded calls (dumps of chrome://webrtc-internals and of rtcstats) become rooms of the past."""
