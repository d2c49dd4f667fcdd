"""What the launch files work with: arguments, files, and whose parameters count. Needs neither launch nor rclpy."""
