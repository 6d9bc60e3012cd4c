"""The parts of a screen: each shows and asks; none decides."""
