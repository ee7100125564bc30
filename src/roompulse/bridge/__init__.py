"""Bridges: programs beside a media server that post its measurements, by `roompulse.client`."""
