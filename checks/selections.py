def prove_selections(proof, seed, changes):
    pass
