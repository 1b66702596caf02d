"""Where do the bytes from outside come from, and are they the pinned ones?"""
