"""随身 visits that are carried on the phone: what may be taken along, what comes back, and what happens when both sides have changed."""
