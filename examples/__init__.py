"""What unrelu is good for, worked out: one folder an example."""
