"""知情同意 consent per purpose: given, refused, withdrawn; asked at the moment of sending or showing."""
