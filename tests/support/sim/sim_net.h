/* sim/sim_net - a network of named hosts below lp_client and lp_server: latency, bandwidth, cuts, refusals,
 * resets, all in virtual time.
 *
 * Not bytes of HTTP but its facts travel: heads, pieces of a body, ends, resets, each in order and each at its
 * own time.  A client or a server belongs to the host that was current (sim_net_enter) when it was opened.
 *
 *   lp_call -- stream/up --> conn --> lp_exchange
 *           <- stream/down -      <-
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include <lpd/base/buf.h>
#include <lpd/io/client.h>
#include <lpd/io/server.h>
#include <lpd/io/timer.h>

#include <io/call_wire.h>
#include <io/exchange_wire.h>

#include "sim_loop.h"
#include "sim_outside.h"

/* What can be set at any time, for everything that host sends or takes. */
struct sim_host {
	struct lp_link link;
	struct sim_net *net;
	char name[64];
	int64_t latency;	/* its part of a packet's way; 500 us */
	int64_t jitter;		/* 0 to so much more */
	int64_t bandwidth;	/* bytes a second that leave it; 0: any number */
	int64_t busy_until;
	bool silent;		/* powerless or unplugged: packets to and from it are held */
	bool refuses;		/* nobody listens there, for now */
	struct lp_list servers;
};

/* What happens by itself, of a million. */
struct sim_faults {
	unsigned resets;	/* requests whose connection is lost, within reset_within of their start */
	int64_t reset_within;
	unsigned refusals;	/* connections that are refused */
};

struct sim_net {
	struct lp_scope *scope;
	struct lp_loop *loop;
	struct sim_faults faults;
	struct sim_host *here;	/* of what is opened now */
	struct lp_list hosts, cuts, conns, clients;
	int n_conns, n_streams;
	uint64_t requests;	/* that reached a server */
	uint16_t next_port;
	int last_pid;
	struct sim_children children;
	struct sim_pages pages;
	bool closing;
};

struct sim_net *sim_net_open(struct lp_scope *scope, struct lp_loop *loop);
void sim_net_close(struct sim_net *net);
struct sim_host *sim_host_get(struct sim_net *net, const char *name);	/* made when there is none */
struct sim_host *sim_host_find(struct sim_net *net, struct lp_span name);
void sim_net_enter(struct sim_net *net, struct sim_host *host);
/* Hold packets between the two, or let them through again; NULL b: between a and everybody. */
void sim_net_cut(struct sim_net *net, struct sim_host *a, struct sim_host *b, bool cut);
bool sim_net_is_cut(const struct sim_net *net, const struct sim_host *a, const struct sim_host *b);
void sim_host_silence(struct sim_host *host, bool silent);
/* Every connection of the host is lost now, as when its network card resets. */
void sim_host_break(struct sim_host *host);

/* ---- for the simulator's own files ---- */

struct sim_pool;

struct sim_conn {
	struct lp_link link;		/* of the net */
	struct lp_link of_pool;		/* those that may take calls: in the pool's open list */
	struct lp_link of_server;
	struct sim_net *net;
	struct sim_host *from, *to;
	struct sim_pool *pool;		/* NULL: the client has let go */
	struct lp_server *server;	/* NULL: the server has let go */
	struct lp_scope *scope;		/* server's: exchanges are below it */
	struct lp_list streams;
	int n_streams;			/* that the client still counts */
	int n_exchanges;		/* whose scope is open */
	bool dialing;			/* not open yet */
	bool h2, tls;
	bool used;			/* has carried a call */
	bool retired;			/* takes no more calls */
	int64_t idle_since;
	struct lp_timer timer;		/* dial, then idle */
	struct lp_timer lost;		/* a cut that lasts ends it */
	struct lp_ready reap;
	char peer[80];
};

enum sim_seg_kind { SIM_HEAD, SIM_DATA, SIM_END, SIM_RESET };

struct sim_pipe {
	struct sim_stream *stream;
	bool up;			/* from the client to the server */
	struct lp_buf out;		/* written, not on its way yet */
	struct lp_list flight;		/* struct seg, the next to arrive first */
	int64_t last_at;		/* nothing overtakes */
	size_t credit;			/* bytes that the receiver takes before it consumes some */
	struct sim_message *last;	/* trailers, when it has ended */
	bool headed, ended, end_sent, cut_off, full;
	struct lp_timer timer;
};

struct sim_stream {
	struct lp_link link;		/* of the conn */
	struct sim_conn *conn;
	struct lp_call *call;		/* NULL: over on the client's side */
	struct lp_exchange *ex;		/* NULL: not there yet, or over on the server's side */
	bool ex_open;			/* the exchange's scope is not closed yet */
	bool client_counts;		/* among conn->n_streams */
	bool taken;			/* by a server: the exchange was made, or refused */
	bool in_use;			/* functions are at work on it: do not free */
	struct sim_pipe up, down;
	struct lp_timer doom;
};

/* sim_stream.c */
void sim_stream_start(struct sim_conn *conn, struct lp_call *call);
void sim_stream_wake(struct sim_stream *stream);	/* a cut has ended: what was held goes on */
/* The connection is no more, at once for the sides named. */
void sim_stream_break_client(struct sim_stream *stream, const char *words);
void sim_stream_break_server(struct sim_stream *stream, const char *words);
/* As a reset that travels. */
void sim_stream_reset_client(struct sim_stream *stream);
void sim_stream_reset_server(struct sim_stream *stream);
int64_t sim_delay(struct sim_net *net, const struct sim_host *from, const struct sim_host *to);

/* sim_client.c */
void sim_client_slot_free(struct sim_conn *conn);	/* one call fewer */
void sim_client_conn_lost(struct sim_conn *conn);	/* takes no more: forget it */
void sim_client_held(struct sim_conn *conn);		/* look at the dial again */
void sim_conn_lose(struct sim_conn *conn, const char *words);	/* both sides, now */
void sim_conn_check(struct sim_conn *conn);		/* free it when nobody needs it */

/* sim_server.c */
/* Requests for this path go to the handler instead of the server's own: one path for a server, a star at its end for
 * everything below. */
void sim_server_replace(struct lp_server *server, const char *path,
			void (*handle)(void *self, struct lp_exchange *ex), void *self);
struct lp_server *sim_server_at(struct sim_net *net, struct sim_host *from, const struct lp_url *url,
				struct sim_host **to);
void sim_server_join(struct lp_server *server, struct sim_conn *conn);	/* accept */
void sim_server_leave(struct sim_conn *conn);
bool sim_server_takes(const struct lp_server *server);	/* not full, not draining */
bool sim_server_draining(const struct lp_server *server);
int sim_server_streams(const struct lp_server *server);
bool sim_server_is_tls(const struct lp_server *server);
const struct lp_exchange_owner *sim_server_owner(const struct lp_server *server);

#endif
