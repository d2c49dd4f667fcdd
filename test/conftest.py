"""What holds for every test."""

from __future__ import annotations

import os

# As the planner node does: threads that wait for each other sleep. Beside other work on the same cores, spinning makes
# tests many times slower. It counts before PyTorch is loaded only.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
