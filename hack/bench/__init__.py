"""What things cost: counts, and ratios between things measured in one run. Nothing here passes or fails by a number."""
