"""`python -m tunetrack_client` is `tunetrack-client`."""

import sys

from tunetrack_client.cli import main

sys.exit(main())
