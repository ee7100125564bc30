"""Numbers in place of the ids and names of users, for shared pages that hide them."""
