"""Trials, enrolment maps and scores: what they must keep, their files, and drawing new ones."""
