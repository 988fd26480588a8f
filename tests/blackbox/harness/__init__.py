"""The parts that the black-box tests are made of: a real broker, a subscriber, sluice, clients, a relay."""
