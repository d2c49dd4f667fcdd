"""`make docs`: the YAML files and the page that state every parameter, made from where each one is declared.

``--check`` writes nothing and fails when a file differs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vjepa_mpc.arguments import Parser
from vjepa_mpc.options import Parameter, Plain, Section, sections
from vjepa_mpc.ros.calibrate.parameters import CalibrationSettings
from vjepa_mpc.ros.dashboard.parameters import DashboardSettings
from vjepa_mpc.ros.franka.parameters import DriverSettings
from vjepa_mpc.ros.monitor.parameters import MonitorSettings
from vjepa_mpc.ros.parameters.arguments import FORMER_UNTIL
from vjepa_mpc.ros.parameters.conversion import spelled
from vjepa_mpc.ros.parameters.settings import PRESET_DECIDES, Settings
from vjepa_mpc.ros.parameters.yaml_text import parse
from vjepa_mpc.ros.recorder.parameters import RecorderSettings
from vjepa_mpc.ros.sim.parameters import SimSettings

ROOT = Path(__file__).resolve().parents[2]
MADE = "Made by `make docs`."

_PLANNER_YAML = f"""\
# Parameters of planner_node: every one at its default. {MADE} More in docs/parameters.md.
# What depends on the robot (workspace, frame, gripper joint, limits) comes from a profile in robots/ or your own file.
/**:
  ros__parameters:
"""
_SIM_YAML = f"""\
# Parameters of sim_node: every one at its default. {MADE} More in docs/parameters.md.
/**:
  ros__parameters:
"""

_INTRODUCTION = f"""\
# Parameters

<!-- {MADE} Each parameter is declared beside the code that uses it. -->

Give them in a file (`--params-file`, or `params_file:=` and `robot:=` at launch), on the command line
(`-p NAME:=VALUE`), or to a running node (`ros2 param set NODE NAME VALUE`). `ros2 param describe NODE NAME` shows the
same texts.

- *Live* ones change from one planning cycle to the next. The others take effect when the node is configured; after
  that, changes to them are refused.
- A whole number is taken where a real one is wanted. Any other type, a value out of range, and values that do not fit
  together (`topk=20 > samples=16`) are refused in one line that names them.
- A name that the node does not have is refused at start, with the nearest name that it has. So is a file that holds
  nothing for the node.
- Later files and arguments win over earlier ones.
- Where `package.module:Class` is allowed, you can name a class of your own. Its options become parameters, too.
"""

_PLANNER = """\
[config/planner.yaml](../config/planner.yaml) states all of them; [config/robots](../config/robots) has a profile for
each robot.

**Tuning.** More `samples` and `cem_steps` find better actions and take longer, linearly. `maxnorm` is the longest step
along an axis; smaller is slower and more exact. Presets: `paper` and `notebook` are as published, `cpu` is for two
cores, `realtime` makes a twentieth of `paper`'s predictions ([performance](performance.md)). Set
`goal.energy_threshold` or `goal.plateau_window` to go on to the next sub-goal before its step budget is used up.

**Two limits of time.** `time_budget` is the planner's own: it searches for so long, without the encoding, and returns
the best that it has found by then. `replan_deadline` is the watchdog over the whole replan: it cuts nothing short, but
`max_deadline_misses` late plans in a row are the fault `DEADLINE_MISSED`. Set it above the time of encoding plus
`time_budget`. `/diagnostics` counts the planner's misses (more than 5 % late), plans that ended early to be in time,
and those of them that had no time for an iteration.
"""


def documents() -> dict[str, str]:
    """The generated files: path in the repository -> text."""
    planner = sections(Settings)
    nodes = (
        ("planner_node", _PLANNER, planner),
        ("sim_node", "[config/sim.yaml](../config/sim.yaml) states all of them.\n", sections(SimSettings)),
        ("franka_driver", "", sections(DriverSettings)),
        ("calibrate", "It takes all parameters of `planner_node`, and these.\n", sections(CalibrationSettings)),
        ("recorder", "", sections(RecorderSettings)),
        ("dashboard", "", sections(DashboardSettings)),
        ("monitor", "", sections(MonitorSettings)),
    )
    return {
        "config/planner.yaml": _PLANNER_YAML + "".join(map(_yaml_section, planner)),
        "config/sim.yaml": _SIM_YAML + "".join(map(_yaml_section, sections(SimSettings))),
        "docs/parameters.md": "\n".join(
            (_INTRODUCTION, *(_page(*node) for node in nodes), _former(each for node in nodes for each in node[2]))
        ),
    }


def _yaml_section(section: Section) -> str:
    preset = section.title == PRESET_DECIDES
    lines = [f"    # -- {section.title}" + (" (the preset decides; uncomment to override)" if preset else "")]
    for parameter in section.parameters:
        lines.append(f"    # {_sentence(parameter)}")
        value = "" if parameter.default is None else f" {_written(parameter.default)}"
        lines.append(f"    {'# ' if preset or parameter.default is None else ''}{parameter.name}:{value}")
    return "\n".join(lines) + "\n"


def _sentence(parameter: Parameter) -> str:
    """Meaning, unit and range in one line."""
    details = parameter.option
    allowed = "" if isinstance(parameter.default, bool) else parameter.range
    facts = ", ".join(filter(None, (details.unit, allowed)))
    return f"{details.text} [{facts}]" if facts else details.text


def _written(value: Plain) -> str:
    """A default as one would write it: texts without quotation marks where they need none."""
    plain = isinstance(value, str) and _PLAIN_TEXT.fullmatch(value) and parse(value) == value
    return str(value) if plain else spelled(value)


_PLAIN_TEXT = re.compile(r"[A-Za-z~][\w./-]*")


def _page(node: str, introduction: str, parts: Iterable[Section]) -> str:
    return "\n".join((f"## {node}\n", *filter(None, (introduction,)), *map(_table, parts)))


def _table(section: Section) -> str:
    note = " (defaults of preset `cpu`)" if section.title == PRESET_DECIDES else ""
    rows = [
        f"### {section.title}{note}\n",
        "| Parameter | Default | Range | Unit | Changes | Meaning |",
        "|---|---|---|---|---|---|",
    ]
    for parameter in section.parameters:
        details = parameter.option
        default = "" if parameter.default is None else f"`{_written(parameter.default)}`"
        cells = (f"`{parameter.name}`", default, parameter.range, details.unit, "live" * details.live, details.text)
        rows.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _former(parts: Iterable[Section]) -> str:
    rows = [
        f"| `{former}` | `{parameter.name}` |"
        for part in parts
        for parameter in part.parameters
        for former in parameter.option.former
    ]
    return (
        "\n".join(
            (
                "## Former names\n",
                f"They are read until release {FORMER_UNTIL} from files and `-p`, with a warning.\n",
                "| Former name | Name |",
                "|---|---|",
                *dict.fromkeys(rows),
            )
        )
        + "\n"
    )


def differing() -> Iterator[str]:
    """The generated files that are not as they would be made now."""
    for name, text in documents().items():
        path = ROOT / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield name


def main(argv: Sequence[str] | None = None) -> int:
    """Write the files; or, with --check, exit status 1 when one differs."""
    parser = Parser(prog="python -m vjepa_mpc.tools.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file differs")
    found = list(differing())
    if parser.parse_args(argv).check:
        if found:
            print(f"{', '.join(found)}: not as declared; run `make docs`", file=sys.stderr)
        return 1 if found else 0
    for name in found:
        (ROOT / name).write_text(documents()[name], encoding="utf-8")
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
