"""The workers' tasks of billing, each in the module of its part."""

from billing.parties import tasks as parties
from billing.payments import tasks as payments
from billing.runs import tasks as runs

__all__ = ["parties", "payments", "runs"]
