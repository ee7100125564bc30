"""Bridges: programs beside a media server that post what it measures, by `roompulse.client`."""
