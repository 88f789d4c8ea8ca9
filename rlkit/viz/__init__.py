"""Reading experiments from disk and drawing them; needs numpy, and matplotlib, scipy or dash where they are used."""
