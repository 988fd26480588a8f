"""Waiting for a condition, with one generous bound for everything.

The bound is no part of any test: sanitized builds are slow and the machine may be busy. A test that
passes waits no longer than the condition takes.
"""
import time

BOUND_S = 30.0


def wait_until(condition, what, bound_s=BOUND_S, pause_s=0.01):
    """Calls condition() until it returns something true, and returns that. `what`: a text, or a function that
    makes one when the time is up."""
    end = time.monotonic() + bound_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"not within {bound_s:g} s: {what() if callable(what) else what}")
        time.sleep(pause_s)
