"""What tests, demonstrations and users' tests share: synthetic voices and contract suites.

Nothing is imported here: ``curvox.testing.voices`` and ``curvox.testing.loss_contract`` are imported by name, so that
a test pays only for what it uses.
"""

__all__: list[str] = []
