"""`python -m relayq` is `relayq`."""

import sys

from relayq.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
