/* runner/client - the ordinary package client, run as a child: pip of this machine. */
#ifndef LPD_RUNNER_CLIENT_H
#define LPD_RUNNER_CLIENT_H

#include "catalog.h"

/* Brings the wheel into the folder, which is empty but for what this needs beside it.  *out: its bytes, checked
 * against the row's sum.  LP_UNAVAILABLE in words: there is no client, or what it said. */
enum lp_code lp_client_bring(struct lp_scope *scope, struct lp_span *out, const struct lp_wheel *wheel,
			     const char *folder, struct lp_err *e) LP_MUST_USE;

#endif
