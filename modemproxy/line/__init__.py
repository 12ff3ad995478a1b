"""The DTE-DCE line: the tty, who may use it next, and the one reader on it."""
