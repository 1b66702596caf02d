"""`quote-verifier connect`: a server on this machine through which programs talk to the verified TD, and to it only."""
