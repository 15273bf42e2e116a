"""Where image bytes are kept: one driver of ``IImageStore`` a file."""
