"""`quote-verifier unlock`: have a service's encrypted data opened by the TD that was verified, and by no other."""
