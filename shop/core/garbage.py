"""Garbage collection of processes that handle thousands of small objects a second."""

import gc

# The default of 700 collects once in some twenty purchases.
THRESHOLD = 20_000


def look_rarely() -> None:
    """Look for reference cycles rarely from now on.

    What is loaded stays, and to look at it again and again takes an eighth of a start.
    """
    gc.set_threshold(THRESHOLD)


def collect_rarely() -> None:
    """Keep what is loaded by now for ever, and look for reference cycles in new objects only.

    A collection of everything stops a process for 40 ms, several times a second under load. It
    would take a third of the relay's processor time.
    """
    gc.collect()
    gc.freeze()
    look_rarely()
