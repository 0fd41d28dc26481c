"""The coordinator's board: changes by hand, hand-over, leave, what-if, why."""
