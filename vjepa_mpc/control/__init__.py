"""Former home of what now lives in :mod:`vjepa_mpc.geometry`; goes with the release after 0.2.0."""
