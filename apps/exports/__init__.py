"""Studies that leave the house as files: archives to download, discs, pictures, anonymised."""
