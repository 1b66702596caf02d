"""What decides the bytes of a quote and of its collateral: a plan, which faults may change, and what it makes."""
