"""Tests of `tunetrack watch`."""
