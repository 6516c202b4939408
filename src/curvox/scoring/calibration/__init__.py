"""From scores to log-likelihood ratios, checked on speakers that no fit has met, and from ratios to thresholds."""
