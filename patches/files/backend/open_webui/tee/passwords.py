"""What a password is compared with where there is no account, so that a refusal takes as long as everybody's."""

#: bcrypt with the rounds of every account's, of random bytes that were thrown away.
NOBODYS = "$2b$12$blyKtfffVphG7mLz2lgr9ONUx1lP//v.aYYou6yO4VLReKpIjqyoS"
