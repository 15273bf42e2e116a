"""The metadata service of a host: what a guest is told about itself at 169.254.169.254."""
