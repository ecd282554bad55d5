"""The pages of the studies room, a file for each noun."""
