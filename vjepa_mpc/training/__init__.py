"""Training and evaluation of the small world model that ships with the package (ROS-free).

`vjepa-mpc train` is :mod:`vjepa_mpc.training.train`, `vjepa-mpc evaluate` is :mod:`vjepa_mpc.evaluation.evaluate`.
"""
