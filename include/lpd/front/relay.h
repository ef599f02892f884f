/* front/relay - an answer's body passed on as it comes, with back-pressure.
 *
 * A small JSON answer (up to 64 KiB) is gathered, cleaned of null members when asked for, and written with
 * its length; a larger one is passed on byte for byte.  The reply's head is written with the first byte. */
#ifndef LPD_FRONT_RELAY_H
#define LPD_FRONT_RELAY_H

#include <lpd/io/client.h>
#include <lpd/io/exchange.h>

#define LP_RELAY_SMALL (64 * 1024)

struct lp_relay;

struct lp_relay_want {
	struct lp_call *call;			/* status 200 was seen */
	struct lp_exchange *ex;
	bool drop_nulls;			/* published SDKs refuse "delta":null (ai-http-api 10.1) */
	const struct lp_header *headers;	/* further ones for the reply's head; live as long as the relay */
	int n_headers;
};

struct lp_relay *lp_relay_open(struct lp_scope *scope, const struct lp_relay_want *want);

enum lp_relay_state {
	LP_RELAY_MORE,		/* wait for the call or for room in the exchange, then pump again */
	LP_RELAY_DONE,		/* all of it was written; the caller ends the reply */
	LP_RELAY_FAILED,	/* *e says why; committed or not: lp_reply_started(ex) */
};
enum lp_relay_state lp_relay_pump(struct lp_relay *r, struct lp_err *e);
uint64_t lp_relay_tokens(const struct lp_relay *r);	/* usage.total_tokens of a small answer, else 0 */

#endif
