"""The image service: the catalogue, the bytes, and what joins them; usable without the rest of the cloud."""
