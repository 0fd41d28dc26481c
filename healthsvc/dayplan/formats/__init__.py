"""Published benchmark formats, read into a problem and written from a plan."""
