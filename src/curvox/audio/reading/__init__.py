"""Read recordings: files of every format as one channel at one rate, with what is wrong with them."""
