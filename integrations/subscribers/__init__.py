"""Subscribers are told: the changes are followed, events counted, notifications posted until they are taken."""
