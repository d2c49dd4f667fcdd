"""``python -m support.planner_on_two_ranks ARGUMENTS``: the planner node under torchrun, on two processes."""

import os
import sys

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
NODE = ["--module", "vjepa_mpc.ros.planner.node"]

if __name__ == "__main__":
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    os.execv(sys.executable, [sys.executable, *TORCHRUN, *NODE, *sys.argv[1:]])
