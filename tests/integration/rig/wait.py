"""The one way the rig waits: poll a condition until it holds or a deadline passes.

A condition that never came true raises `Timeout` with what was last seen, so that a failure explains itself.
"""

import time


class Timeout(AssertionError):
    """The condition did not hold in time; the message says which one and what was there instead."""


def wait_until(condition, what, timeout_s, interval_s=0.05, expect=()):
    """Return the first truthy value of `condition()`.

    `expect` names the exceptions that only mean "not yet" (a refused connection while a server starts); any other one passes
    through at once.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            seen = condition()
        except expect as not_yet:
            seen, shown = None, f"{type(not_yet).__name__}: {not_yet}"
        else:
            shown = repr(seen)
        if seen:
            return seen
        if time.monotonic() >= deadline:
            raise Timeout(f"after {timeout_s:g} s still not: {what}; last seen: {shown[:800]}")
        time.sleep(interval_s)
