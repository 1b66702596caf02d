"""How do built parts become a release: entry, licences, manifest, archive, bills of materials, signature?"""
