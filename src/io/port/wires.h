/* io/wires - the four transports that put exchanges and calls on a conn.  Each takes the conn over. */
#ifndef LPD_IO_WIRES_H
#define LPD_IO_WIRES_H

#include <lpd/io/server.h>

#include "../call_wire.h"
#include "../exchange_wire.h"
#include "conn.h"

/* ---- server side: one per accepted connection, known to server.c by this head ---- */

struct lp_http_date;

struct lp_server_conn_want {
	struct lp_scope *scope;		/* the connection's own: exchanges open theirs below, and the wire may live
					 * in it; closed by server.c */
	const struct lp_exchange_owner *owner;
	const struct lp_server_limits *limits;
	struct lp_loop *loop;
	struct lp_log *log;		/* may be NULL */
	struct lp_metrics *metrics;
	struct lp_http_date *date;	/* the server's (http_head.h) */
	void (*on_closed)(void *self);	/* the conn is closed: from the loop, once; server.c closes the scope */
	void *self;
};

struct lp_server_conn_ops {
	void (*drain)(void *wire);	/* GOAWAY / close after the current exchange */
	void (*close)(void *wire);	/* at once, without on_closed */
};

/* first: bytes read before the protocol was known (h2 preface sniffed on plain connections). */
void *lp_http1_server_open(const struct lp_server_conn_want *want, struct lp_conn *conn, struct lp_span first);
extern const struct lp_server_conn_ops lp_http1_server_ops;
void *lp_http2_server_open(const struct lp_server_conn_want *want, struct lp_conn *conn, struct lp_span first);
extern const struct lp_server_conn_ops lp_http2_server_ops;

/* ---- client side: one per open connection to a peer ---- */

struct lp_client_conn_want {
	struct lp_loop *loop;
	void (*on_change)(void *self);	/* free slots changed, or it can take no more: look at the functions below */
	void (*on_closed)(void *self);	/* it is no more (its calls were failed before): from the loop, once */
	void *self;
};

struct lp_client_conn_ops {
	int (*free_slots)(const void *wire);		/* calls it would take now; 0 when full, draining or dead */
	int (*active)(const void *wire);
	bool (*leaving)(const void *wire);		/* it will never take another call: GOAWAY, close, retired */
	void (*start)(void *wire, struct lp_call *call);	/* binds the call; slots were free */
	void (*retire)(void *wire);			/* take no more; close when the last call has ended */
	void (*close)(void *wire);			/* at once; active calls are failed; without on_closed */
};

void *lp_http1_client_open(const struct lp_client_conn_want *want, struct lp_conn *conn);
extern const struct lp_client_conn_ops lp_http1_client_ops;
void *lp_http2_client_open(const struct lp_client_conn_want *want, struct lp_conn *conn);
extern const struct lp_client_conn_ops lp_http2_client_ops;

#endif
