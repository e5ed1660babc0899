"""The contract of `docs/api.md`, endpoint by endpoint, over HTTP."""
