"""The dashboard: its files as they are sent, and what a real browser makes of them."""
