"""A small laboratory: a platform and virtual devices on loopback, for ./demo and the end-to-end tests."""
