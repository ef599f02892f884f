/* role/store - lpd.db in the data directory: its schema, and the secrets that it keeps over restarts. */
#ifndef LPD_ROLE_STORE_H
#define LPD_ROLE_STORE_H

#include <lpd/io/db.h>
#include <lpd/role/node.h>

/* Locks the data directory and opens node->db; nothing when another role of the node has done so. */
enum lp_code lp_store_open(struct lp_node *node, struct lp_err *e) LP_MUST_USE;
/* The secret of that name; drawn and written when there is none yet. */
enum lp_code lp_store_secret(struct lp_node *node, const char *name, uint8_t secret[32], struct lp_err *e) LP_MUST_USE;

#endif
