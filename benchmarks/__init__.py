"""What the service costs, measured against itself: every figure stands beside that of a no-op in the same run.

write_path.py        writes per second and latency, as ratios to a no-op POST
bytes_per_point.py   what an epoch and a metric value take on the disk
noop.py              the no-op: the service's framework and body, and no store
generator.py         the process that makes the load, and measures it
scripts.py           what the connections of each operation say, request by request
servers.py           the processes that are measured: the service, the no-op, PostgreSQL
"""
