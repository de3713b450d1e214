"""The papers whose notions unrelu computes, and unrelu itself."""

PAPERS = (
    "Eckert, Haider, Ehler, Balazs (2024): Invertibility of ReLU-Layers: A Practical Approach",
    "Behrmann, Dittmer, Fernsel, Maass (2018): Invariance and Inverse Stability under ReLU",
    "Puthawala, Kothari, Lassas, Dokmanić, de Hoop (2022): Globally Injective ReLU Networks",
)

BIBTEX = r"""@software{unrelu,
  title   = {unrelu: what {ReLU} layers forget, with proof},
  author  = {{The unrelu developers}},
  version = {%(version)s},
  year    = {2026}
}
@inproceedings{eckert2024invertibility,
  title     = {Invertibility of {ReLU}-Layers: A Practical Approach},
  author    = {Eckert, Hannah and Haider, Daniel and Ehler, Martin and Balazs, Peter},
  booktitle = {Proceedings of the 16th International Joint Conference on Computational Intelligence},
  pages     = {423--429},
  year      = {2024},
  doi       = {10.5220/0012951300003837}
}
@misc{behrmann2018invariance,
  title  = {Invariance and Inverse Stability under {ReLU}},
  author = {Behrmann, Jens and Dittmer, S{\"o}ren and Fernsel, Pascal and Maass, Peter},
  year   = {2018}
}
@article{puthawala2022globally,
  title   = {Globally Injective {ReLU} Networks},
  author  = {Puthawala, Michael and Kothari, Konik and Lassas, Matti and Dokmani{\'c}, Ivan
             and de Hoop, Maarten},
  journal = {Journal of Machine Learning Research},
  volume  = {23},
  number  = {105},
  pages   = {1--55},
  year    = {2022}
}"""
