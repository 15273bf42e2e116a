"""What EC2 and STS can do: one file per family of actions, each ending in its table of actions."""
