"""Behrmann, Dittmer, Fernsel, Maass 2018: Invariance and Inverse Stability under ReLU."""
