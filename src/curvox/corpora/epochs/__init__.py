"""Plans of epochs: which crop of which recording comes when."""
