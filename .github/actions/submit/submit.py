"""Run the step out of this repository as it was checked out: `python3 -I submit.py`."""

import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(here, "..", "..", "..")))

from relayq.step.action import main

sys.exit(main())
