"""The compiled step: from a traced program to a plan that is replayed."""
