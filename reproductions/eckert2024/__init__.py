"""Eckert, Haider, Ehler, Balazs 2024, "Invertibility of ReLU-Layers: A Practical Approach" (IJCCI 2024)."""
