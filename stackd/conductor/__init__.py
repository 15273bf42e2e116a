"""The conductor: answers hosts, applies their reports, ends what is past its deadline. Any number may run."""
