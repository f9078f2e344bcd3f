"""The doors of reidkit: for each, valid inputs, ways to damage them, and what a right answer is."""
