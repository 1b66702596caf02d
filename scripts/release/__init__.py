"""What turns built parts into something to publish: entry, licences, manifest, archive, bills of materials, signature."""
