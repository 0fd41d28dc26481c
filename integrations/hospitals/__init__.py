"""Hospitals, one profile per line: character set, kinds of numbers, codes, quirks. TOML files; the code here only reads and checks them."""
