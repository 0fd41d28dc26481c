"""Outside road engines behind the circle's travel-time protocol."""
