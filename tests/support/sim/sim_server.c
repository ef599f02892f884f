/* The server half: listeners by host and port, connections that are accepted, and the certificates that
 * nobody needs here. */
#include <string.h>

#include <lpd/base/assert.h>

#include "sim_net.h"

#define FIRST_PORT 20000	/* of those who ask for any */

struct lp_server {
	struct lp_link link;		/* of the host */
	struct lp_scope *scope;
	struct sim_net *net;
	struct sim_host *host;
	struct lp_server_want want;
	struct lp_exchange_owner owner;
	const char *unix_path;
	uint16_t port;
	struct lp_list conns;
	int n_conns;
	bool draining;
	struct {
		const char *path;
		void (*handle)(void *self, struct lp_exchange *ex);
		void *self;
	} instead;
};

/* ---- looking up ---- */

static bool is_loopback(struct lp_span host)
{
	return lp_span_starts(host, "127.") || lp_span_is(host, "::1") || lp_span_is(host, "localhost");
}

static struct lp_server *find(const struct sim_host *host, const struct lp_url *url)
{
	lp_list_each(&host->servers, server, struct lp_server, link) {
		if (url->unix_path || server->unix_path) {
			if (url->unix_path && server->unix_path && strcmp(url->unix_path, server->unix_path) == 0)
				return server;
			continue;
		}
		if (server->port == url->port)
			return server;
	}
	return NULL;
}

struct lp_server *sim_server_at(struct sim_net *net, struct sim_host *from, const struct lp_url *url,
				struct sim_host **to)
{
	*to = url->unix_path || is_loopback(url->host) ? from : sim_host_find(net, url->host);
	return *to ? find(*to, url) : NULL;
}

bool sim_server_takes(const struct lp_server *server)
{
	return !server->draining && server->n_conns < server->want.limits.connections;
}

bool sim_server_draining(const struct lp_server *server)
{
	return server->draining;
}

int sim_server_streams(const struct lp_server *server)
{
	return server->want.limits.streams;
}

bool sim_server_is_tls(const struct lp_server *server)
{
	return server->want.tls != NULL;
}

const struct lp_exchange_owner *sim_server_owner(const struct lp_server *server)
{
	return &server->owner;
}

/* ---- connections ---- */

static void count(struct lp_server *server, int change)
{
	server->n_conns += change;
	if (server->want.metrics)
		lp_metric_add(server->want.metrics, LP_M_HTTP_CONNECTIONS, LP_LABELS("server"), change);
}

void sim_server_join(struct lp_server *server, struct sim_conn *conn)
{
	conn->server = server;
	conn->scope = lp_scope_open(server->scope, "connection");
	lp_list_add(&server->conns, &conn->of_server);
	count(server, 1);
}

void sim_server_leave(struct sim_conn *conn)
{
	struct lp_server *server = conn->server;

	if (!server)
		return;
	conn->server = NULL;
	lp_link_out(&conn->of_server);
	count(server, -1);
	lp_ready(conn->net->loop, &conn->reap);
}

/* The process ends: what it was answering is reset, its peers hear of it a little later.  The exchanges go
 * with the connections' scopes, without a last event. */
static void close_server(void *arg)
{
	struct lp_server *server = arg;

	lp_link_out(&server->link);
	lp_list_each(&server->conns, conn, struct sim_conn, of_server) {
		conn->retired = true;
		sim_server_leave(conn);
		lp_scope_close(&conn->scope);
		lp_list_each(&conn->streams, stream, struct sim_stream, link)
			sim_stream_reset_client(stream);
		lp_assert(conn->n_exchanges == 0);
	}
}

static bool fits(const char *pattern, struct lp_span path)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return path.len >= n - 1 && memcmp(path.at, pattern, n - 1) == 0;
	return lp_span_is(path, pattern);
}

static void handle(void *self, struct lp_exchange *ex)
{
	struct lp_server *server = self;

	if (server->instead.path && fits(server->instead.path, lp_exchange_path(ex)))
		server->instead.handle(server->instead.self, ex);
	else
		server->want.handle(server->want.self, ex);
}

void sim_server_replace(struct lp_server *server, const char *path,
			void (*instead)(void *self, struct lp_exchange *ex), void *self)
{
	server->instead.path = path ? lp_strdup(server->scope, lp_span(path)) : NULL;
	server->instead.handle = instead;
	server->instead.self = self;
}

static void set_limits(struct lp_server *server)
{
	struct lp_server_limits *l = &server->want.limits;

	l->connections = l->connections ? l->connections : 10000;
	l->streams = l->streams ? l->streams : 250;
	server->owner = (struct lp_exchange_owner){
		.loop = server->net->loop,
		.handle = handle,
		.self = server,
		.body_limit = l->body_bytes ? l->body_bytes : 1024 * 1024,
		.body_stall = l->body_stall ? l->body_stall : 30 * LP_SEC,
		.write_stall = l->write_stall ? l->write_stall : 60 * LP_SEC,
		.metrics = server->want.metrics,
	};
}

static uint16_t free_port(const struct sim_host *host)
{
	struct lp_url url = { .port = FIRST_PORT };

	while (find(host, &url))
		url.port++;
	return url.port;
}

enum lp_code lp_server_open(struct lp_scope *scope, struct lp_server **out, struct lp_loop *loop,
			    const struct lp_server_want *want, struct lp_err *e)
{
	struct sim_net *net = sim_loop_net(loop);
	struct lp_scope *own = lp_scope_open(scope, "server");
	struct lp_server *server = lp_new(own, struct lp_server);

	server->scope = own;
	server->net = net;
	server->host = net->here;
	server->want = *want;
	server->port = want->address.port ? want->address.port : free_port(net->here);
	if (want->address.unix_path)
		server->unix_path = lp_strdup(own, lp_span(want->address.unix_path));
	lp_list_init(&server->conns);
	set_limits(server);
	if (find(net->here, &(struct lp_url){ .port = server->port, .unix_path = server->unix_path })) {
		lp_fail(e, LP_CONFIG, "port %u of %s is taken", server->port, net->here->name);
		lp_scope_close(&own);
		return LP_CONFIG;
	}
	lp_list_add(&net->here->servers, &server->link);
	lp_defer(scope, close_server, server);
	*out = server;
	return LP_OK;
}

uint16_t lp_server_port(const struct lp_server *server)
{
	return server->port;
}

int lp_server_connections(const struct lp_server *server)
{
	return server->n_conns;
}

/* Idle connections close at once, others when what runs on them has ended. */
void lp_server_drain(struct lp_server *server)
{
	server->draining = true;
	lp_list_each(&server->conns, conn, struct sim_conn, of_server) {
		conn->retired = true;
		lp_ready(conn->net->loop, &conn->reap);
	}
}

/* ---- certificates ---- */

struct lp_tls_server {
	int reloads;
};

struct lp_tls_client {
	int unused;
};

enum lp_code lp_tls_server_open(struct lp_scope *scope, struct lp_tls_server **out, const char *cert_file,
				const char *key_file, struct lp_span host, struct lp_err *e)
{
	(void)cert_file;
	(void)key_file;
	(void)host;
	(void)e;
	*out = lp_new(scope, struct lp_tls_server);
	return LP_OK;
}

enum lp_code lp_tls_server_reload(struct lp_tls_server *tls, struct lp_err *e)
{
	(void)e;
	tls->reloads++;
	return LP_OK;
}

struct lp_tls_client *lp_tls_client_open(struct lp_scope *scope)
{
	return lp_new(scope, struct lp_tls_client);
}
