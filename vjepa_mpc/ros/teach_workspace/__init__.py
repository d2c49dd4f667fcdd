"""The tool that measures the workspace box while the arm is moved by hand."""
