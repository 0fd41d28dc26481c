"""The hospital side and other outside systems. May import healthsvc; healthsvc never imports this package (main.py aside)."""
