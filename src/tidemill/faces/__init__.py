"""Thin faces: parse, call, print."""
