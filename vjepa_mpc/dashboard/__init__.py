"""The operator's page: what it shows and what can be done on it. Knows nothing of ROS; `ros/dashboard` feeds it."""
