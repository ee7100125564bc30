"""roompulse: live quality monitoring of video-call rooms."""

__version__ = "0.1.0"
