"""Home beds and courses of infusions of the demonstration: invented findings, the same gates as in earnest."""
