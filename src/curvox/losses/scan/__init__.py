"""One pass over any number of class centres, in blocks, and over several processes."""
