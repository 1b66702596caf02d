"""The launcher of a release: checks it, measures it, starts everything, stops everything.

It ships inside the release and needs nothing but the release's own `site-packages`: a release runs without the build
tool. `launcher.run` holds the order of a launch: `plan` says what it is to be, `measure` what is there, and
`serve` runs it.
"""
