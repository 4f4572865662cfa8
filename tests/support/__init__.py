"""What the tests stand on: the fixtures, and the few helpers that they share."""
