"""What is said and answered: one shape per object, as the schema describes it."""
