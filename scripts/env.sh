# Source this (bash or zsh) to use what `make build` made: `source scripts/env.sh`.
# Then `planner_node --ros-args ...`, `sim_node`, `set_goal` and `vjepa-mpc` are commands, `python` has the packages, and
# the built vjepa_mpc is a ROS 2 overlay.

_root=$(cd "$(dirname "${BASH_SOURCE[0]:-${(%):-%x}}")/.." && pwd)
_install=$_root/install/vjepa_mpc

if [ ! -e "$_root/.venv/ros" ] || [ ! -d "$_install" ]; then
    echo "env.sh: $_root is not built yet: run 'make build' there." >&2
    unset _root _install
    return 1
fi

# Puts a folder in front of a path-like variable, once.
_prepend() {
    eval "_old=\${$1:-}"
    case ":$_old:" in
        *":$2:"*) ;;
        *) export "$1=$2${_old:+:$_old}" ;;
    esac
}

if [ "$(cat "$_root/.venv/ros")" = wheels ]; then
    _prepend AMENT_PREFIX_PATH "$_root/.venv"
    _prepend LD_LIBRARY_PATH "$_root/.venv/lib"
    export RMW_IMPLEMENTATION=rmw_fastrtps_cpp # the only one among the wheels
fi
_prepend AMENT_PREFIX_PATH "$_install"
_prepend LD_LIBRARY_PATH "$_install/lib"
# Debian's Python installs to local/lib/.../dist-packages.
for _packages in $(find "$_install/lib" "$_install/local" -maxdepth 4 -type d \( -name site-packages -o -name dist-packages \) 2>/dev/null); do
    _prepend PYTHONPATH "$_packages"
done
_prepend PATH "$_install/lib/vjepa_mpc"
_prepend PATH "$_root/.venv/bin"

unset -f _prepend
unset _root _install _packages _old
