"""Poses, rotations, limits and inverse kinematics: numbers and the space that they live in."""
