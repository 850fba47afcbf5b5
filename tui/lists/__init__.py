"""Lists as screens show them: which rows, in which order, in which words."""
