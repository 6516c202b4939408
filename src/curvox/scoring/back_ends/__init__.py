"""From points to the scores of trials, with what a cohort of training speakers teaches: one back end, one name."""
