"""Telemetry: metrics of serving processes in, and signals out, in the forms others read."""
