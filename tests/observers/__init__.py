"""Tests of the edge where events go out."""
