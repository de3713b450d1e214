"""The figures and tables of the papers that unrelu builds on, computed anew: one folder a paper."""
