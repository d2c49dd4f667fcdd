"""What can look wrong with recordings: each file here is a finding."""

from vjepa_mpc.data.finding import Finding
from vjepa_mpc.registry import Registry

FINDINGS: Registry[Finding] = Registry("vjepa_mpc.data.findings", Finding, "finding")
