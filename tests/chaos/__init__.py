"""The promises under faults: replicas, flaky networks, databases that go away, full disks, clocks that step back.

Small in every test run; with TUNETRACK_TEST_CHAOS=1 as large as the promises say.

    sizes.py       how large          stubborn.py   a client that repeats each request until it is answered
    replicas.py    three services     search.py     what such clients do, and what must have come of it
    proxy.py       a bad network
"""
