"""In whose name commands act."""

from healthsvc.store import Actor

COMMAND = Actor("command", "command line", frozenset({"system"}), "command")
"""In whose name commands act: whoever may run them may also read the data directory."""
