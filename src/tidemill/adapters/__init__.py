"""The world: one vendor a file; each answers a port of :mod:`tidemill.core.ports`."""
