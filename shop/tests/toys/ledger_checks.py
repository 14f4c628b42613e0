from shop.core.ledger import no_rows

CHECKS = (no_rows("Every toy has a name.", "SELECT id FROM toys_toy WHERE name = ''"),)
