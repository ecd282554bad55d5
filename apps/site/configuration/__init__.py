"""The site file: what a department is set up with, as one YAML file.

`sections` is the table of what is in it; `document` reads text into entries, `applying`
brings the database to what the entries say, `exporting` writes the text.
"""
