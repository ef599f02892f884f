/* Listening, accepting, and telling the protocols apart; what follows is http1_server's or http2_server's. */
#include <lpd/io/server.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/quota.h>
#include <lpd/io/timer.h>

#include "http1.h"
#include "http_head.h"
#include "listen.h"
#include "wires.h"

#define ACCEPT_TURN 64			/* connections taken in one turn */
#define OVERFLOW_MAX 64			/* refusals in words per OVERFLOW_TIME; further ones are silent */
#define OVERFLOW_TIME (2 * LP_SEC)	/* as long as a finishing conn may last */
#define PAUSE (200 * LP_MSEC)		/* of accepting, when there are no descriptors */

/* The first bytes of HTTP/2 by prior knowledge (RFC 9113 3.4); its method is no other's. */
#define PREFACE "PRI "

struct lp_server {
	struct lp_scope *scope;
	struct lp_loop *loop;
	struct lp_server_want want;
	struct lp_server_limits limits;
	struct lp_exchange_owner owner;
	struct lp_exchange_held held;
	struct lp_http_date date;
	struct lp_listen *listen;
	struct lp_list conns;		/* struct served */
	struct lp_quota *quota;		/* of connections, by client */
	struct lp_timer pause;
	int n_conns;
	int overflow;			/* refused in words since overflow_since */
	int64_t overflow_since;
	int spare;			/* a descriptor to give up when there are none, so as to refuse with it */
	bool draining;
};

/* An accepted connection, from accept to close. */
struct served {
	struct lp_server *server;
	struct lp_scope *scope;
	struct lp_conn *conn;		/* until a wire has it */
	struct lp_quota_row *share;
	const struct lp_server_conn_ops *ops;
	void *wire;
	struct lp_link link;
	struct lp_timer limit;		/* for the handshake, or the first bytes */
	char first[sizeof(PREFACE) - 1];
	size_t n_first;
};

static void count_refused(const struct lp_server *server, const char *reason)
{
	if (server->want.metrics)
		lp_metric_add(server->want.metrics, LP_M_HTTP_REFUSED, LP_LABELS(reason), 1);
}

static void count_conns(struct lp_server *server, int change)
{
	server->n_conns += change;
	if (server->want.metrics)
		lp_metric_add(server->want.metrics, LP_M_HTTP_CONNECTIONS, LP_LABELS("server"), change);
}

/* ---- one connection ---- */

static void end_served(struct served *s)
{
	struct lp_scope *scope = s->scope;

	lp_timer_clear(&s->limit);
	lp_link_out(&s->link);
	lp_quota_give(s->server->quota, &s->share);
	count_conns(s->server, -1);
	if (s->wire)
		s->ops->close(s->wire);
	else if (s->conn)
		lp_conn_close(s->conn);
	lp_scope_close(&scope);		/* s is in it */
}

static void on_wire_closed(void *self)
{
	struct served *s = self;

	s->wire = NULL;
	end_served(s);
}

static void hand_over(struct served *s, bool h2, struct lp_span first)
{
	struct lp_server *server = s->server;
	struct lp_conn *conn = s->conn;
	struct lp_server_conn_want want = {
		.scope = s->scope,
		.owner = &server->owner,
		.limits = &server->limits,
		.loop = server->loop,
		.log = server->want.log,
		.metrics = server->want.metrics,
		.date = &server->date,
		.on_closed = on_wire_closed,
		.self = s,
	};

	lp_timer_clear(&s->limit);
	s->conn = NULL;
	s->ops = h2 ? &lp_http2_server_ops : &lp_http1_server_ops;
	s->wire = h2 ? lp_http2_server_open(&want, conn, first) : lp_http1_server_open(&want, conn, first);
	if (server->draining)
		s->ops->drain(s->wire);
}

static void on_open(void *self)
{
	struct served *s = self;

	if (lp_conn_is_tls(s->conn))
		hand_over(s, lp_conn_alpn(s->conn) == LP_ALPN_H2, (struct lp_span){ 0 });
}

/* Plain: enough bytes to tell a preface from a request are gathered first. */
static void on_bytes(void *self, struct lp_span bytes)
{
	struct served *s = self;
	size_t want = sizeof(s->first) - s->n_first;
	size_t n = bytes.len < want ? bytes.len : want;

	if (s->n_first == 0 && bytes.len >= want) {
		hand_over(s, memcmp(bytes.at, PREFACE, want) == 0, bytes);
		return;
	}
	memcpy(s->first + s->n_first, bytes.at, n);
	s->n_first += n;
	bool may_be_h2 = memcmp(s->first, PREFACE, s->n_first) == 0;
	if (may_be_h2 && s->n_first < sizeof(s->first))
		return;
	struct lp_buf all = { 0 };

	lp_buf_add(&all, s->first, s->n_first);
	lp_buf_add_span(&all, lp_span_skip(bytes, n));
	hand_over(s, may_be_h2, lp_buf_span(&all));
	lp_buf_clear(&all);
}

static void on_room(void *self)
{
	(void)self;
}

/* Somebody left out the s of https: OpenSSL has seen it, and one plain answer says more than a hang-up. */
static void say_tls(struct served *s)
{
	struct lp_err e = { 0 };

	lp_fail(&e, LP_BAD_REQUEST, "this port speaks TLS: use https");
	lp_conn_forget_tls(s->conn);
	lp_http1_write_error(lp_conn_out(s->conn), (struct lp_span){ 0 }, &e);
	lp_conn_finish(s->conn);
	s->conn = NULL;
}

static void on_end(void *self, enum lp_code why, const char *words)
{
	struct served *s = self;
	const char *peer = lp_conn_peer(s->conn);

	if (why == LP_RESET && strcmp(words, "http request") == 0)
		say_tls(s);
	if (why != LP_OK && s->server->want.log)
		lp_log_kv(s->server->want.log, LP_DEBUG, "connection ended before a request", "peer",
			  peer, "why", words, NULL);
	end_served(s);
}

static const struct lp_conn_user first_user = {
	.on_open = on_open,
	.on_bytes = on_bytes,
	.on_room = on_room,
	.on_end = on_end,
};

static void on_limit(void *self)
{
	struct served *s = self;

	count_refused(s->server, lp_conn_is_tls(s->conn) ? "handshake_time" : "header_time");
	end_served(s);
}

static void begin(struct lp_server *server, int fd, struct lp_quota_row *share)
{
	struct lp_scope *scope = lp_scope_open(server->scope, "connection");
	struct served *s = lp_new(scope, struct served);
	const struct lp_server_limits *limits = &server->limits;

	s->server = server;
	s->scope = scope;
	s->share = share;
	s->limit = (struct lp_timer){ .fire = on_limit, .self = s };
	lp_list_add(&server->conns, &s->link);
	count_conns(server, 1);
	s->conn = lp_conn_accept(server->loop, fd, server->want.tls, &first_user, s);
	lp_timer_set(&s->limit, server->loop, server->want.tls ? limits->handshake_time : limits->header_time);
}

/* ---- one too many ---- */

static void overflow_nothing(void *self)
{
	(void)self;
}

static void overflow_bytes(void *self, struct lp_span bytes)
{
	(void)self, (void)bytes;
}

static void overflow_end(void *self, enum lp_code why, const char *words)
{
	(void)self, (void)why, (void)words;
}

/* In words; over TLS the handshake would cost more than the words are worth. */
static void refuse(struct lp_server *server, int fd, const struct lp_err *why)
{
	static const struct lp_conn_user nobody = { overflow_nothing, overflow_bytes, overflow_nothing,
						     overflow_end, NULL, NULL };
	int64_t now = lp_mono(server->loop);

	count_refused(server, why->code == LP_TOO_MANY ? "connections_per_client" : "connections");
	if (now - server->overflow_since > OVERFLOW_TIME) {
		server->overflow_since = now;
		server->overflow = 0;
	}
	if (server->want.tls || server->overflow++ >= OVERFLOW_MAX) {
		close(fd);
		return;
	}
	struct lp_conn *conn = lp_conn_accept(server->loop, fd, NULL, &nobody, NULL);

	lp_http1_write_error(lp_conn_out(conn), (struct lp_span){ 0 }, why);
	lp_conn_finish(conn);
}

/* ---- accepting ---- */

static void take(struct lp_server *server, int fd)
{
	int most = server->limits.connections_per_client;
	struct lp_quota_row *share = NULL;
	struct lp_err e = { 0 };
	char peer[64] = "";

	if (most > 0)
		lp_conn_peer_of(fd, peer, sizeof(peer));
	if (server->n_conns >= server->limits.connections)
		lp_fail(&e, LP_UNAVAILABLE, "this node has as many connections as it takes");
	else if (!lp_quota_take(server->quota, lp_span(peer), most, &share))
		lp_fail(&e, LP_TOO_MANY, "your address has %d connections to this node, which is all that one may have", most);
	if (e.code == LP_OK)
		begin(server, fd, share);
	else
		refuse(server, fd, &e);
}

static void resume(void *self)
{
	struct lp_server *server = self;

	if (server->spare < 0)
		server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	lp_listen_pause(server->listen, false);
}

/* No descriptors left: the waiting connection keeps the listener readable, so the loop would spin.  The
 * spare one lets us take it and hang up, which tells the client more than silence. */
static void no_descriptors(struct lp_server *server, int listener)
{
	count_refused(server, "descriptors");
	if (server->spare >= 0)
		close(server->spare);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	lp_listen_pause(server->listen, true);
	lp_timer_set(&server->pause, server->loop, PAUSE);
}

static void on_accept(void *self, int listener)
{
	struct lp_server *server = self;

	for (int i = 0; i < ACCEPT_TURN; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take(server, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			no_descriptors(server, listener);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

/* ---- the server ---- */

static void set_defaults(struct lp_server_limits *l)
{
#define DEFAULT(field, value) ((field) = (field) ? (field) : (value))
	DEFAULT(l->connections, 10000);
	DEFAULT(l->streams, 250);
	DEFAULT(l->header_bytes, 128 * 1024);
	DEFAULT(l->body_bytes, 1024 * 1024);
	DEFAULT(l->held_bytes, (size_t)256 * 1024 * 1024);
	DEFAULT(l->header_time, 10 * LP_SEC);
	DEFAULT(l->body_stall, 30 * LP_SEC);
	DEFAULT(l->write_stall, 60 * LP_SEC);
	DEFAULT(l->write_floor, 16 * 1024);
	DEFAULT(l->idle_time, 10 * LP_MIN);
	DEFAULT(l->handshake_time, 10 * LP_SEC);
#undef DEFAULT
}

static void close_server(void *self)
{
	struct lp_server *server = self;

	lp_listen_stop(server->listen);
	lp_timer_clear(&server->pause);
	lp_list_each(&server->conns, s, struct served, link)
		end_served(s);
	if (server->spare >= 0)
		close(server->spare);
}

enum lp_code lp_server_open(struct lp_scope *scope, struct lp_server **out, struct lp_loop *loop,
			    const struct lp_server_want *want, struct lp_err *e)
{
	struct lp_scope *own = lp_scope_open(scope, "server");
	struct lp_server *server = lp_new(own, struct lp_server);

	server->scope = own;
	server->loop = loop;
	server->want = *want;
	server->limits = want->limits;
	set_defaults(&server->limits);
	server->owner = (struct lp_exchange_owner){
		.loop = loop,
		.handle = want->handle,
		.self = want->self,
		.body_limit = server->limits.body_bytes,
		.body_stall = server->limits.body_stall,
		.write_stall = server->limits.write_stall,
		.write_floor = (int64_t)server->limits.write_floor,
		.metrics = want->metrics,
		.held = &server->held,
	};
	server->held.limit = server->limits.held_bytes;
	server->pause = (struct lp_timer){ .fire = resume, .self = server };
	lp_list_init(&server->conns);
	if (server->limits.connections_per_client >= server->limits.connections)
		server->limits.connections_per_client = 0;	/* bounds nothing */
	server->quota = lp_quota_open(own, (size_t)server->limits.connections);
	struct lp_listen_want listen = { loop, &want->address, want->share_port, on_accept, server };
	enum lp_code code = lp_listen_open(own, &server->listen, &listen, e);

	if (code != LP_OK) {
		lp_scope_close(&own);
		return code;
	}
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* On the parent, after the server's own scope was opened: it runs before the connections' scopes, which
	 * are below it, would close by themselves. */
	lp_defer(scope, close_server, server);
	*out = server;
	return LP_OK;
}

uint16_t lp_server_port(const struct lp_server *server)
{
	return lp_listen_port(server->listen);
}

int lp_server_connections(const struct lp_server *server)
{
	return server->n_conns;
}

/* The port is kept until the listeners close with the server: who asks for it after a drain means the log. */
void lp_server_drain(struct lp_server *server)
{
	if (server->draining)
		return;
	server->draining = true;
	lp_timer_clear(&server->pause);
	lp_listen_stop(server->listen);
	lp_list_each(&server->conns, s, struct served, link) {
		if (s->wire)
			s->ops->drain(s->wire);
		else if (!lp_conn_is_tls(s->conn) && s->n_first == 0)
			end_served(s);
	}
}
