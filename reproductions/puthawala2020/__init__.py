"""Puthawala, Kothari, Lassas, Dokmanić, de Hoop 2020: Globally Injective (ReLU) Neural Networks (slides)."""
