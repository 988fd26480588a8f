"""The order in which a subscriber may receive messages (contract, promise 2)."""


def assert_in_order(numbers):
    """1 2 3 1 2 3 4 is in order: a run may be repeated from any point, but nothing is skipped."""
    most = previous = -1
    for at, number in enumerate(numbers):
        assert number == previous + 1 or number <= most, (
            f"{number} after {previous} (highest so far {most}) at {at}: {numbers[max(0, at - 10):at + 3]}")
        previous, most = number, max(most, number)


def numbers_of(payloads):
    return [int(payload.split(b"/")[-1].split(b" ")[0]) for payload in payloads]
