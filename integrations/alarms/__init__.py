"""81890-style alarms: what comes in from devices and hotlines, and the watch that keeps calling until somebody answers."""
