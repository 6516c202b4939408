"""Tables for the terminal, Markdown, LaTeX and pages."""
