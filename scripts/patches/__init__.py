"""How does upstream's tree become ours: the patch queue, read, applied, edited and ported."""
