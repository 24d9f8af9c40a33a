"""From a run and its data to the plain numbers of `Symptoms`."""
