"""``python -m vjepa_mpc`` is the command line ``vjepa-mpc``."""

import sys

from vjepa_mpc.tools.cli import main

sys.exit(main())
