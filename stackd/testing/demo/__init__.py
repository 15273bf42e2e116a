"""The demonstration behind ``make cloud``: a real cloud in the background and its first VM."""
