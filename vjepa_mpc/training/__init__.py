"""Training of the small world model that ships with the package: data, losses, trainer; `vjepa-mpc train`."""
