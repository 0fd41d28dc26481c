"""CDS Hooks 2.0: a hospital's own software asks, at the moment it matters, and is answered with a card: the right, why, until when."""
