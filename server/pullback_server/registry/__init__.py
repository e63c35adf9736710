"""What is registered, on disk.

    lock                            held by the server that uses the directory
    blobs/sha256/ab/abcd...         content-addressed bytes: serialized programs
    functions/NAME.json             the catalogue: one file a function
    uploads/DIGEST                  programs that wait to be registered: the digest of their blob
    tenants/TENANT/functions/...    both, of a tenant; those above belong to the tenant with the empty name
    tenants/TENANT/uploads/...

`registry` puts the rooms together, `blobs` and `catalogue` each keep one folder, `entries` are what stands in
the catalogue, `sight` who sees what of it, `records` what is taken and told, `homes` the places of tenants
and `usage` what they may have, `names` reads resource names, `pages` page tokens, `archive` makes one file of
it all and reads it, `files` writes files that survive a `kill -9` at any moment, and `operations` are the
system calls that this takes.
"""
