"""Data to analyse on: iris, digits, MNIST, CIFAR-10, and arrays, tables and image folders on disk."""

# these three register their names
from unrelu.datasets import _bundled as _bundled
from unrelu.datasets import _cifar10 as _cifar10
from unrelu.datasets import _mnist as _mnist
from unrelu.datasets._dataset import Dataset as Dataset
from unrelu.datasets._load import load as load
from unrelu.datasets._registry import available as available
from unrelu.datasets._registry import register as register

__all__ = ["Dataset", "available", "load", "register"]
