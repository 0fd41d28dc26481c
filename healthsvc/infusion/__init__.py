"""上门输液 Home infusion: the safety gates, the course and its doses, and the protocol at the bedside."""
