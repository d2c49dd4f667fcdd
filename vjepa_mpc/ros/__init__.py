"""The ROS 2 nodes and all that knows of ROS; thin shells around the rest of the package."""
