"""The tasks of quizzes, each in the module of its part."""

from quizzes.leads.tasks import purge

__all__ = ["purge"]
