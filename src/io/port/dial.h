/* io/dial - one attempt to open a connection to a peer that may have several addresses.  Private to io/port.
 *
 * Happy eyeballs (RFC 8305): the next address is tried when one fails, or 250 ms after the one before; the
 * first that is open wins and the others are closed. */
#ifndef LPD_IO_DIAL_H
#define LPD_IO_DIAL_H

#include "conn.h"
#include "resolve.h"

struct lp_dial;

struct lp_dial_want {
	struct lp_loop *loop;
	const struct lp_addrs *addrs;		/* copied; at least one */
	uint16_t port;
	struct lp_tls_client *tls;		/* NULL: plain */
	struct lp_span server_name;		/* must outlive the dial */
	bool h1_only;
	void *session;				/* of TLS, to resume; must outlive the dial */
	int64_t time;				/* gives up after */
	/* Once, from the loop; the dial is no more then.  conn NULL: no address answered, words say why. */
	void (*on_done)(void *self, struct lp_dial *dial, struct lp_conn *conn, const char *words);
	void *self;
};

struct lp_dial *lp_dial_start(const struct lp_dial_want *want);
void lp_dial_close(struct lp_dial *dial);	/* no more callbacks; frees */
int64_t lp_dial_started(const struct lp_dial *dial);
struct lp_link *lp_dial_link(struct lp_dial *dial);	/* for its owner's list */
struct lp_dial *lp_dial_of_link(struct lp_link *link);

#endif
