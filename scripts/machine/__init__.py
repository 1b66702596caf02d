"""What does this machine have, and is it enough?"""
