"""Tests, as `app/` is laid out; `api/` and `live/` talk to the real command over HTTP."""
