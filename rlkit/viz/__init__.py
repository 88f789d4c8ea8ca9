"""Reading runs from disk and drawing them; needs numpy, and matplotlib or dash where they are used."""
