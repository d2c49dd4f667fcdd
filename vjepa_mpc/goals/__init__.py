"""What is to be reached: sub-goals in sequence, what ends each, and what the gripper does meanwhile."""
