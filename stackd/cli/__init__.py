"""The operator's command ``stackd``: one file per subcommand."""
