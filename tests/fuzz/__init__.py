"""Requests that nobody thought of: what a fuzzer makes of the OpenAPI document, and valid bodies broken in every way.

`make fuzz` and `make chaos` run them at full size, each test run at a small one.
"""
