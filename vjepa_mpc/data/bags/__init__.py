"""rosbag2 folders without ROS: finding, reading and writing them."""
