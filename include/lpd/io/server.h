/* io/server - listens, and turns connections into exchanges: HTTP/1.1, h2 (ALPN or prior knowledge), TLS.
 *
 * Every limit has a default (0 takes it). */
#ifndef LPD_IO_SERVER_H
#define LPD_IO_SERVER_H

#include <lpd/base/log.h>
#include <lpd/base/metric.h>
#include <lpd/io/exchange.h>
#include <lpd/io/loop.h>
#include <lpd/io/tls.h>

struct lp_server_limits {
	int connections;		/* 10,000; further ones are refused with 503 and closed */
	int connections_per_client;	/* further ones of an address are refused with 429; 0: as many as there may be */
	int streams;			/* concurrent on one h2 connection: 250 */
	size_t header_bytes;		/* all of a request's headers: 128 KiB; one field at most 64 KiB on h2 */
	int64_t body_bytes;		/* default of lp_exchange_limit_body: 1 MiB; routes set theirs */
	size_t held_bytes;		/* come and not consumed, of all connections: 256 MiB, a thousand full streams.
					 * From half on h2 clients are given no more window, at it bodies are
					 * refused with LP_UNAVAILABLE */
	int64_t header_time;		/* from the first byte (or accept) to the whole head: 10 s */
	int64_t body_stall;		/* between two pieces of a body that somebody reads: 30 s */
	int64_t write_stall;		/* while bytes wait for the client, it must take in each such time: 60 s */
	size_t write_floor;		/* at least so many of them: 16 KiB (a modem takes 400); decision 6 */
	int64_t idle_time;		/* keep-alive: 10 min, as the network's servers do */
	int64_t handshake_time;		/* 10 s */
};

struct lp_server_want {
	struct lp_url address;		/* host:port to listen on; host "" is every address, dual stack; or a unix path */
	bool share_port;		/* several processes listen on it, and the kernel spreads the connections */
	struct lp_tls_server *tls;	/* NULL: plain HTTP/1.1 and h2c by prior knowledge */
	struct lp_server_limits limits;
	void (*handle)(void *self, struct lp_exchange *ex);	/* a head has come whole: route it */
	void *self;
	struct lp_log *log;		/* may be NULL */
	struct lp_metrics *metrics;	/* may be NULL */
};

struct lp_server;

/* Lives as long as the scope; closing it ends every connection at once.  LP_CONFIG with words when the
 * address cannot be bound. */
enum lp_code lp_server_open(struct lp_scope *scope, struct lp_server **out, struct lp_loop *loop,
			    const struct lp_server_want *want, struct lp_err *e) LP_MUST_USE;
uint16_t lp_server_port(const struct lp_server *server);	/* the one bound, when 0 was asked for */
/* Take no more connections or requests: GOAWAY, Connection: close; what runs is finished. */
void lp_server_drain(struct lp_server *server);
int lp_server_connections(const struct lp_server *server);

#endif
