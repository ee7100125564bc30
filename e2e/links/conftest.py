"""The browser of these tests has a camera and a microphone."""

from e2e.sdk.conftest import application, browser

__all__ = ["application", "browser"]
