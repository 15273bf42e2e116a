"""The bench: measures a cloud that runs as a process of its own, from outside, as its users meet it."""
