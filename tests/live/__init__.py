"""What only a living process shows: streams, kill -9, shutdown, restart."""
