/* front/send - a spool written into a reply, with back-pressure. */
#ifndef LPD_FRONT_SEND_H
#define LPD_FRONT_SEND_H

#include <lpd/io/exchange.h>
#include <lpd/io/spool.h>

struct lp_send {
	struct lp_exchange *ex;
	struct lp_spool *spool;			/* may still grow: then the reply has no length, and follows it */
	int status;
	const struct lp_header *headers;
	int n_headers;
	struct lp_span before, after;		/* written around it; copied */
};

/* Head, body and end; takes the exchange over.  A spool that breaks aborts the reply. */
void lp_send(const struct lp_send *what);

#endif
