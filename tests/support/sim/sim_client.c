/* The client half: pools of connections per peer, as io/port/client.c keeps them, over simulated hosts. */
#include "sim_net.h"

#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>

#define PER_PEER 64
#define IDLE_TIME (60 * LP_SEC)
#define DIAL_TIME (10 * LP_SEC)
#define WAITING_MAX 4096
#define H2_STREAMS 250

struct lp_client {
	struct lp_link link;
	struct lp_scope *scope;
	struct lp_loop *loop;
	struct sim_net *net;
	struct sim_host *host;
	struct lp_client_want want;
	struct lp_map *pools;
	bool closing;
};

struct sim_pool {
	struct lp_client *client;
	struct lp_url url;		/* lives in the client's scope */
	bool h1_only, h2_only;
	struct lp_list waiting;		/* calls */
	int n_waiting;
	struct lp_list open;		/* conns that take calls */
	int n_conns, n_dials;
	bool warm;
	struct lp_ready row;
};

static void pump(struct sim_pool *pool);
static void dial(struct sim_pool *pool);
static void dial_failed(struct sim_conn *conn, const char *words);

/* ---- connections ---- */

static void conn_end(void *self)
{
	struct sim_conn *conn = self;

	sim_conn_check(conn);
}

void sim_conn_check(struct sim_conn *conn)
{
	/* Nobody needs it: the server's scope can go as soon as no exchange is in it. */
	if (conn->server && !conn->pool && lp_list_empty(&conn->streams))
		sim_server_leave(conn);
	if (conn->scope && !conn->server && conn->n_exchanges == 0)
		lp_scope_close(&conn->scope);
	if (conn->pool && conn->retired && conn->n_streams == 0)
		sim_client_conn_lost(conn);
	if (conn->pool || conn->server || conn->scope || !lp_list_empty(&conn->streams))
		return;
	lp_timer_clear(&conn->timer);
	lp_timer_clear(&conn->lost);
	lp_unready(&conn->reap);
	lp_link_out(&conn->link);
	conn->net->n_conns--;
	lp_mem_free(conn);
}

void sim_conn_lose(struct sim_conn *conn, const char *words)
{
	lp_timer_clear(&conn->lost);
	if (conn->dialing) {
		lp_timer_clear(&conn->timer);
		dial_failed(conn, words);
		return;
	}
	conn->retired = true;
	lp_list_each(&conn->streams, s, struct sim_stream, link) {
		sim_stream_break_server(s, words);
	}
	lp_list_each(&conn->streams, stream, struct sim_stream, link) {
		sim_stream_break_client(stream, words);
	}
	sim_server_leave(conn);
	sim_client_conn_lost(conn);
	lp_ready(conn->net->loop, &conn->reap);
}

static void on_lost(void *self)
{
	sim_conn_lose(self, "the peer is silent");
}

/* The client takes its hand off: calls that it still has there end in a moment by themselves. */
void sim_client_conn_lost(struct sim_conn *conn)
{
	struct sim_pool *pool = conn->pool;

	if (!pool)
		return;
	conn->pool = NULL;
	conn->retired = true;
	lp_timer_clear(&conn->timer);
	lp_link_out(&conn->of_pool);
	pool->n_conns--;
	pool->n_dials -= conn->dialing;
	conn->dialing = false;
	lp_ready(conn->net->loop, &conn->reap);
	if (!pool->client->closing)
		lp_ready(pool->client->loop, &pool->row);
}

static void on_idle(void *self)
{
	struct sim_conn *conn = self;

	if (conn->n_streams == 0)
		sim_client_conn_lost(conn);
}

static void now_idle(struct sim_conn *conn)
{
	struct lp_client *client = conn->pool->client;

	conn->idle_since = lp_mono(client->loop);
	conn->timer.fire = on_idle;
	lp_timer_set(&conn->timer, client->loop, client->want.idle_time);
}

static int slots_of(const struct sim_conn *conn)
{
	int most = conn->h2 ? (conn->server ? sim_server_streams(conn->server) : H2_STREAMS) : 1;

	return conn->retired || !conn->server || sim_server_draining(conn->server) ? 0 : most - conn->n_streams;
}

static void place(struct sim_conn *conn)
{
	lp_link_out(&conn->of_pool);
	if (slots_of(conn) > 0)
		lp_list_add_front(&conn->pool->open, &conn->of_pool);
}

void sim_client_slot_free(struct sim_conn *conn)
{
	conn->n_streams--;
	if (!conn->pool)
		return;
	place(conn);
	if (conn->n_streams == 0)
		now_idle(conn);
	lp_ready(conn->net->loop, &conn->reap);
	if (!conn->pool->client->closing)
		lp_ready(conn->net->loop, &conn->pool->row);
}

/* ---- calls and connections meet ---- */

static bool too_old(const struct sim_conn *conn, const struct lp_call *call)
{
	int64_t limit = lp_call_wire_request(call)->idle_retire;

	return limit && conn->used && conn->n_streams == 0 && lp_mono(conn->net->loop) - conn->idle_since >= limit;
}

static struct sim_conn *pick(struct sim_pool *pool, const struct lp_call *call)
{
	bool fresh = lp_call_wire_wants_fresh(call);

	lp_list_each(&pool->open, conn, struct sim_conn, of_pool) {
		if (slots_of(conn) <= 0 || too_old(conn, call)) {
			lp_link_out(&conn->of_pool);
			conn->retired = true;
			lp_ready(conn->net->loop, &conn->reap);
			continue;
		}
		if (!fresh || !conn->used)
			return conn;
	}
	return NULL;
}

static void give(struct sim_conn *conn, struct lp_call *call)
{
	if (conn->used && conn->n_streams == 0)
		lp_call_wire_on_idle(call);
	conn->used = true;
	lp_timer_clear(&conn->timer);
	conn->n_streams++;
	sim_stream_start(conn, call);
	if (conn->pool)
		place(conn);
}

static struct lp_call *take_waiting(struct sim_pool *pool, struct lp_link *link)
{
	lp_link_out(link);
	pool->n_waiting--;
	return lp_call_wire_of_link(link);
}

static void fail_waiting(struct sim_pool *pool, const char *words)
{
	for (int n = pool->n_waiting; n > 0 && !lp_list_empty(&pool->waiting); n--)
		lp_call_wire_fail(take_waiting(pool, lp_list_first(&pool->waiting)), LP_CONNECT, true, words);
}

static void serve_waiting(struct sim_pool *pool)
{
	struct lp_link *at, *next;

	for (at = pool->waiting.head.next; at != &pool->waiting.head; at = next) {
		struct sim_conn *conn = pick(pool, lp_call_wire_of_link(at));

		next = at->next;
		if (conn)
			give(conn, take_waiting(pool, at));
		else if (!lp_call_wire_wants_fresh(lp_call_wire_of_link(at)))
			return;
	}
}

/* While no more connections may be opened a call's patience for one rests. */
static void tell_saturated(struct sim_pool *pool)
{
	bool full = pool->n_conns - pool->n_dials > 0 && pool->n_conns >= pool->client->want.connections_per_peer;

	for (struct lp_link *at = pool->waiting.head.next; at != &pool->waiting.head; at = at->next)
		lp_call_wire_queued(lp_call_wire_of_link(at), full);
}

static void pump(struct sim_pool *pool)
{
	int each = pool->url.tls || pool->h2_only ? H2_STREAMS : 1;

	if (pool->h1_only)
		each = 1;
	serve_waiting(pool);
	int need = (pool->n_waiting + each - 1) / each;
	if (pool->warm && !pool->n_conns && !need)
		need = 1;
	while (pool->n_dials < need && pool->n_conns < pool->client->want.connections_per_peer)
		dial(pool);
	if (pool->n_waiting)
		tell_saturated(pool);
}

static void run_pump(void *self)
{
	pump(self);
}

/* ---- dialling ---- */

static void dial_failed(struct sim_conn *conn, const char *words)
{
	struct sim_pool *pool = conn->pool;

	pool->n_dials--;
	pool->warm = false;
	conn->dialing = false;
	conn->pool = NULL;
	pool->n_conns--;
	lp_ready(conn->net->loop, &conn->reap);
	if (pool->n_conns == pool->n_dials)
		fail_waiting(pool, words);
	lp_ready(pool->client->loop, &pool->row);
}

static bool unlucky(struct sim_net *net)
{
	return net->faults.refusals &&
	       lp_dice_below(sim_loop_dice(net->loop), 1000000) < net->faults.refusals;
}

/* The last packet of the handshake has come, or would have. */
static void on_dialled(void *self)
{
	struct sim_conn *conn = self;
	struct sim_pool *pool = conn->pool;
	struct sim_net *net = conn->net;

	if (!conn->to) {
		dial_failed(conn, "there is no such host");
		return;
	}
	if (sim_net_is_cut(net, conn->from, conn->to))
		return;			/* sim_client_held comes back, or `lost` ends it */
	struct lp_server *server = sim_server_at(net, conn->from, &pool->url, &conn->to);
	if (!server || conn->to->refuses || !sim_server_takes(server) || unlucky(net)) {
		dial_failed(conn, "connection refused");
		return;
	}
	if (sim_server_is_tls(server) != pool->url.tls) {
		dial_failed(conn, "the peer speaks TLS or we do, but not both");
		return;
	}
	pool->n_dials--;
	pool->warm = false;
	conn->dialing = false;
	lp_timer_clear(&conn->lost);
	conn->lost.fire = on_lost;
	conn->h2 = pool->h2_only || (pool->url.tls && !pool->h1_only);
	sim_server_join(server, conn);
	place(conn);
	now_idle(conn);
	pump(pool);
}

static void on_dial_lost(void *self)
{
	struct sim_conn *conn = self;

	lp_timer_clear(&conn->timer);
	dial_failed(conn, "the connection timed out");
}

void sim_client_held(struct sim_conn *conn)
{
	if (conn->dialing && !lp_timer_is_set(&conn->timer))
		lp_timer_set(&conn->timer, conn->net->loop, 0);
}

static void dial(struct sim_pool *pool)
{
	struct lp_client *client = pool->client;
	struct sim_net *net = client->net;
	struct sim_conn *conn = lp_mem_zeroed(1, sizeof(*conn));
	int trips = pool->url.tls ? 2 : 1;
	int64_t takes = 0;

	conn->net = net;
	conn->from = client->host;
	conn->pool = pool;
	conn->dialing = true;
	conn->tls = pool->url.tls;
	lp_list_init(&conn->streams);
	lp_list_add(&net->conns, &conn->link);
	net->n_conns++;
	pool->n_conns++;
	pool->n_dials++;
	conn->reap = (struct lp_ready){ .run = conn_end, .self = conn };
	conn->timer = (struct lp_timer){ .fire = on_dialled, .self = conn };
	conn->lost = (struct lp_timer){ .fire = on_dial_lost, .self = conn };
	snprintf(conn->peer, sizeof(conn->peer), "%s:%u", client->host->name, net->next_port++);
	sim_server_at(net, client->host, &pool->url, &conn->to);
	for (int i = 0; i < 2 * trips; i++)
		takes += conn->to ? sim_delay(net, conn->from, conn->to) : client->host->latency;
	lp_timer_set(&conn->timer, client->loop, takes);
	lp_timer_set(&conn->lost, client->loop, DIAL_TIME);
}

/* ---- the client ---- */

static struct sim_pool *pool_get(struct lp_client *client, const struct lp_url *url, bool h1_only, bool h2_only)
{
	struct lp_buf key = { 0 };

	lp_buf_fmt(&key, "%c %.*s %u %s", h1_only ? '1' : url->tls ? 'a' : h2_only ? '2' : '1', LP_ARG(url->host),
		   url->port, url->unix_path ? url->unix_path : url->tls ? "s" : "");
	struct sim_pool *pool = lp_map_find(client->pools, lp_buf_span(&key));
	if (!pool) {
		pool = lp_new(client->scope, struct sim_pool);
		pool->client = client;
		pool->url = *url;
		pool->url.host = lp_span_dup(client->scope, url->host);
		if (url->unix_path)
			pool->url.unix_path = lp_strdup(client->scope, lp_span(url->unix_path));
		pool->h1_only = h1_only || (!url->tls && !h2_only);
		pool->h2_only = h2_only;
		lp_list_init(&pool->waiting);
		lp_list_init(&pool->open);
		pool->row = (struct lp_ready){ .run = run_pump, .self = pool };
		lp_map_put(client->pools, lp_buf_span(&key), pool);
	}
	lp_buf_clear(&key);
	return pool;
}

struct lp_loop *lp_client_loop(struct lp_client *client)
{
	return client->loop;
}

void lp_client_submit(struct lp_client *client, struct lp_call *call)
{
	const struct lp_call_request *request = lp_call_wire_request(call);

	if (client->closing) {
		lp_call_wire_fail(call, LP_RESET, true, "the client is closed");
		return;
	}
	struct sim_pool *pool = pool_get(client, request->url, request->h1_only, request->h2_only);
	*lp_call_wire_pool(call) = pool;
	struct sim_conn *conn = pool->n_waiting ? NULL : pick(pool, call);
	if (conn) {
		give(conn, call);
		return;
	}
	if (pool->n_waiting >= WAITING_MAX) {
		lp_call_wire_fail(call, LP_UNAVAILABLE, true, "too many calls wait for this peer");
		return;
	}
	lp_list_add(&pool->waiting, lp_call_wire_link(call));
	pool->n_waiting++;
	lp_ready(client->loop, &pool->row);
}

void lp_client_withdraw(struct lp_client *client, struct lp_call *call)
{
	struct sim_pool *pool = *lp_call_wire_pool(call);

	(void)client;
	take_waiting(pool, lp_call_wire_link(call));
}

void lp_client_warm(struct lp_client *client, const struct lp_url *url)
{
	struct sim_pool *pool = pool_get(client, url, false, false);

	pool->warm = true;
	lp_ready(client->loop, &pool->row);
}

/* The process ends: its calls are over, and its peers hear of it a little later. */
static void let_go(struct sim_conn *conn)
{
	lp_list_each(&conn->streams, stream, struct sim_stream, link) {
		struct lp_call *call = stream->call;

		sim_stream_reset_server(stream);
		if (call)
			lp_call_wire_fail(call, LP_RESET, false, "the client is closed");
	}
	sim_client_conn_lost(conn);
}

static void close_client(void *arg)
{
	struct lp_client *client = arg;
	struct sim_net *net = client->net;
	struct lp_span key;
	size_t at = 0;
	void *value;

	client->closing = true;
	lp_list_each(&net->conns, conn, struct sim_conn, link) {
		if (conn->pool && conn->pool->client == client)
			let_go(conn);
	}
	while (lp_map_next(client->pools, &at, &key, &value)) {
		struct sim_pool *pool = value;

		lp_unready(&pool->row);
		lp_assert(lp_list_empty(&pool->waiting));	/* calls are closed before their client */
	}
	lp_map_free(&client->pools);
	lp_link_out(&client->link);
}

struct lp_client *lp_client_open(struct lp_scope *scope, struct lp_loop *loop, const struct lp_client_want *want)
{
	struct lp_client *client = lp_new(scope, struct lp_client);
	struct sim_net *net = sim_loop_net(loop);

	client->scope = scope;
	client->loop = loop;
	client->net = net;
	client->host = net->here;
	client->want = *want;
	if (!client->want.connections_per_peer)
		client->want.connections_per_peer = PER_PEER;
	if (!client->want.idle_time)
		client->want.idle_time = IDLE_TIME;
	client->pools = lp_map_new();
	lp_list_add(&net->clients, &client->link);
	lp_defer(scope, close_client, client);
	return client;
}
