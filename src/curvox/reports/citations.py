"""The papers behind the parts of curvox, as BibTeX."""

from __future__ import annotations

from collections.abc import Iterable

from curvox.errors import require_name

BIBTEX: dict[str, str] = {
    "bisani2004bootstrap": """\
@inproceedings{bisani2004bootstrap,
  title     = {Bootstrap Estimates for Confidence Intervals in {ASR} Performance Evaluation},
  author    = {Bisani, Maximilian and Ney, Hermann},
  booktitle = {IEEE International Conference on Acoustics, Speech, and Signal Processing (ICASSP)},
  year      = {2004},
}""",
    "deng2019arcface": """\
@inproceedings{deng2019arcface,
  title     = {{ArcFace}: Additive Angular Margin Loss for Deep Face Recognition},
  author    = {Deng, Jiankang and Guo, Jia and Xue, Niannan and Zafeiriou, Stefanos},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {4690--4699},
  year      = {2019},
}""",
    "desai2023meru": """\
@inproceedings{desai2023meru,
  title     = {Hyperbolic Image-Text Representations},
  author    = {Desai, Karan and Nickel, Maximilian and Rajpurohit, Tanmay and Johnson, Justin and
               Vedantam, Ramakrishna},
  booktitle = {International Conference on Machine Learning (ICML)},
  year      = {2023},
}""",
    "desplanques2020ecapa": """\
@inproceedings{desplanques2020ecapa,
  title     = {{ECAPA-TDNN}: Emphasized Channel Attention, Propagation and Aggregation in {TDNN} Based Speaker
               Verification},
  author    = {Desplanques, Brecht and Thienpondt, Jenthe and Demuynck, Kris},
  booktitle = {Interspeech},
  pages     = {3830--3834},
  year      = {2020},
  doi       = {10.21437/Interspeech.2020-2650},
}""",
    "fang2026ham": """\
@misc{fang2026ham,
  title         = {Hyperbolic Additive Margin Softmax with Hierarchical Information for Speaker Verification},
  author        = {Fang, Zhihua and He, Liang},
  year          = {2026},
  eprint        = {2601.19709},
  archivePrefix = {arXiv},
}""",
    "guo2022clipped": """\
@inproceedings{guo2022clipped,
  title     = {Clipped Hyperbolic Classifiers Are Super-Hyperbolic Classifiers},
  author    = {Guo, Yunhui and Wang, Xudong and Chen, Yubei and Yu, Stella X.},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2022},
}""",
    "li2022ram": """\
@inproceedings{li2022ram,
  title         = {Real Additive Margin Softmax for Speaker Verification},
  author        = {Li, Lantian and Nai, Ruiqian and Wang, Dong},
  booktitle     = {IEEE International Conference on Acoustics, Speech and Signal Processing (ICASSP)},
  year          = {2022},
  eprint        = {2110.09116},
  archivePrefix = {arXiv},
}""",
    "martin1997det": """\
@inproceedings{martin1997det,
  title     = {The {DET} Curve in Assessment of Detection Task Performance},
  author    = {Martin, Alvin and Doddington, George and Kamm, Terri and Ordowski, Mark and Przybocki, Mark},
  booktitle = {European Conference on Speech Communication and Technology (Eurospeech)},
  year      = {1997},
}""",
    "nickel2017poincare": """\
@inproceedings{nickel2017poincare,
  title     = {Poincar{\\'e} Embeddings for Learning Hierarchical Representations},
  author    = {Nickel, Maximillian and Kiela, Douwe},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {30},
  year      = {2017},
}""",
    "wang2018amsoftmax": """\
@article{wang2018amsoftmax,
  title   = {Additive Margin Softmax for Face Verification},
  author  = {Wang, Feng and Cheng, Jian and Liu, Weiyang and Liu, Haijun},
  journal = {IEEE Signal Processing Letters},
  volume  = {25},
  number  = {7},
  pages   = {926--930},
  year    = {2018},
  doi     = {10.1109/LSP.2018.2822810},
}""",
}


def citations_for(keys: Iterable[str]) -> str:
    """Return the BibTeX of these keys, each once, in this order; an empty key (a part without a paper) is skipped.

    Raises:
        UnknownNameError: a key without an entry.
    """
    wanted = [key for key in dict.fromkeys(keys) if key]
    for key in wanted:
        require_name(key, BIBTEX, "citation key")
    return "".join(f"{BIBTEX[key]}\n\n" for key in wanted).rstrip("\n") + ("\n" if wanted else "")
