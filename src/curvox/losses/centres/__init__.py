"""Classification losses: a centre for each speaker, and a softmax over how near the centres are."""
