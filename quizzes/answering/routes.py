"""Addresses that are answered before Django."""

Q = "/api/v1/q/"
"""Everything of respondents is below it."""
