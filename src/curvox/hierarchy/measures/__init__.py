"""The measures of a tree in a space, each with its interval and its level of chance."""
