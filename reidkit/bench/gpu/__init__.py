"""Everything that a GPU has to show, in stages of their own processes; see `campaign`."""
