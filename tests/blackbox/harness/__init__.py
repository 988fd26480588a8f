"""The parts of the black-box tests: a real broker, a subscriber, sluice, clients, a relay."""
