"""Parameters of the dashboard's node."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from vjepa_mpc.dashboard.gate import is_local
from vjepa_mpc.files import expanded
from vjepa_mpc.options import build, check_options, option, parameters
from vjepa_mpc.ros.common.names import check_name
from vjepa_mpc.ros.parameters.arguments import NodeParameters
from vjepa_mpc.ros.parameters.live import Values

_LEAST_TOKEN = 12  # characters


@dataclass(frozen=True, kw_only=True)
class DashboardSettings:
    """Where the page is, and what it is of.

    Raises:
        ValueError: an option is out of its range.
    """

    planner: str = option(
        "planner_node",
        "Name of the planner that the page is of; without a leading / in the dashboard's own namespace.",
        title="Page",
    )
    recording: str = option(
        "",
        "Folder of a recording that the page shows instead of a running planner, with a slider for its time; empty: "
        "none.",
    )
    host: str = option(
        "127.0.0.1",
        "Address that the page is served at; 0.0.0.0 for all of this machine. Other machines need the token.",
    )
    port: int = option(8080, "Port that the page is served at; 0 takes a free one.", low=0, high=65535)
    token_file: str = option(
        "",
        "File whose first line is the token that other machines have to give; empty: a new one at each start, which is "
        "printed with the address.",
    )
    goals_folder: str = option("goals", "Folder in which sequences of goals are saved, each in a folder of its own.")
    rate: float = option(5.0, "How often the page follows what is seen.", unit="Hz", low=0.5, high=30.0)

    def __post_init__(self) -> None:
        check_options(self)
        check_name(self.planner, "planner: ")
        for name in ("host", "goals_folder"):
            if not getattr(self, name):
                raise ValueError(f"{name}='': give a value, or leave it out")

    @property
    def goals_path(self) -> Path:
        """The folder, with ``~`` expanded."""
        return expanded(self.goals_folder).absolute()

    def token(self) -> str:
        """What others than this machine have to give; "" where nobody else can come.

        Raises:
            ValueError: the file has none that is worth the name.
        """
        if is_local(self.host):
            return ""
        if not self.token_file:
            return secrets.token_urlsafe(24)
        file = expanded(self.token_file)
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise ValueError(f"token_file={self.token_file}: it cannot be read ({error.strerror})") from error
        token = lines[0].strip() if lines else ""
        if len(token) < _LEAST_TOKEN or not set(token) <= _URL_SAFE:
            raise ValueError(
                f"token_file={self.token_file}: its first line has to have {_LEAST_TOKEN} or more letters, digits, - "
                "and _, and nothing else"
            )
        return token


_URL_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
PARAMETERS = parameters(DashboardSettings)
NODE = NodeParameters(
    "dashboard",
    lambda values: PARAMETERS,
    "The operator's page in a browser: what the planner sees, wants and expects, goals, parameters and HOLD.",
)


def build_settings(values: Values) -> DashboardSettings:
    """The snapshot of all values.

    Raises:
        ValueError: an option is out of its range.
    """
    return build(DashboardSettings, values)
