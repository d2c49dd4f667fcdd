"""Demonstrations become goals: the pictures of one that matter, with budgets."""
