"""The control loop: poses, goals in sequence, supervision and set-points. Nothing here imports ROS."""
