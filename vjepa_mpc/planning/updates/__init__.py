"""How the search goes on from the candidates' energies; one file for each rule."""
