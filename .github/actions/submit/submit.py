"""Run the step out of this repository as it was checked out: `python3 -ISB submit.py`.

It needs the standard library alone (-I, -S: no site-packages, whose start would cost more than TLS), and
leaves no bytecode in somebody's checkout (-B).
"""

import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.abspath(os.path.join(here, "..", "..", "..")))

from relayq.step.action import main

sys.exit(main())
