"""What the tests share: rigs, stand-ins and reference data."""
