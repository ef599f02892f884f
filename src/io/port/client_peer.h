/* io/client_peer - what a client knows of a peer: the calls that wait for it, and its open connections.  For client.c
 * (who waits, and what is dialled) and client_slot.c (one connection: idling, retiring, its TLS session) only. */
#ifndef LPD_IO_CLIENT_PEER_H
#define LPD_IO_CLIENT_PEER_H

#include <lpd/base/map.h>
#include <lpd/io/timer.h>

#include "dial.h"
#include "wires.h"

enum lp_peer_kind {
	LP_PEER_AUTO = 'a',	/* TLS: ALPN decides */
	LP_PEER_H1 = '1',
	LP_PEER_H2 = '2',	/* plain, by prior knowledge */
};

struct lp_client {
	struct lp_loop *loop;
	struct lp_client_want want;
	struct lp_resolver *resolver;
	struct lp_map *pools;
	struct lp_list dialing;		/* pools that want to dial, in turns */
	struct lp_ready dial_row;
	struct lp_timer dial_timer, sweep;
	int64_t burst_at;		/* when the present burst of dials began, and how many it had */
	int burst;
	bool closing;
};

struct lp_peer {
	struct lp_client *client;
	enum lp_peer_kind kind;
	struct lp_url url;		/* of the peer; path unused; its text is below */
	struct lp_list waiting;		/* calls */
	struct lp_list slots;		/* connections, best first */
	struct lp_list dials;
	struct lp_link dialing;		/* in the client's row, when wanted > 0 */
	int n_waiting, n_slots, n_dials;
	int wanted;			/* connections to be opened besides */
	bool known, speaks_h2;		/* what the last connection spoke */
	bool saturated;			/* waiting calls have been told so */
	bool again;			/* the addresses are fresh: a failure is no matter of old ones */
	bool warm;			/* one connection is wanted ahead of need */
	int streams;			/* of one h2 connection, as last seen */
	void *session;			/* SSL_SESSION *, to resume */
	struct lp_addrs *literal;	/* an address that needs no look-up; NULL: a name */
	struct lp_ask ask;
	struct lp_ready pump;
	struct lp_timer rest;		/* after a dial that failed */
	int64_t used_at;
	char text[];			/* host or unix path, ended by a zero byte */
};

struct lp_slot {				/* an open connection */
	struct lp_link link;
	struct lp_peer *pool;
	const struct lp_client_conn_ops *ops;
	void *wire;
	struct lp_conn *conn;		/* the wire's; looked at only while the wire takes calls */
	bool h2;
	bool used;			/* has carried a call */
	bool has_session;
	int64_t idle_since;		/* 0: busy */
	struct lp_timer idle;
};

/* client.c */
void lp_peer_pump(struct lp_peer *pool);	/* soon: something changed that waiting calls may profit from */

/* client_slot.c */
void lp_slot_open(struct lp_peer *pool, struct lp_conn *conn);
void lp_slot_free(struct lp_slot *slot);	/* its wire has been closed */
void lp_slot_give(struct lp_slot *slot, struct lp_call *call);	/* it has room */
bool lp_slot_too_old(struct lp_slot *slot, const struct lp_call *call);	/* for that call; it is retired then */

#endif
