"""Garbage collection of processes that handle thousands of small objects a second."""

import gc

# The default of 700 collects once in some twenty purchases.
THRESHOLD = 20_000


def collect_rarely() -> None:
    """Keep what is loaded by now for ever, and look for reference cycles in new objects only.

    A collection of everything stops a process for 40 ms, several times a second under load. It
    would take a third of the relay's processor time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(THRESHOLD)
