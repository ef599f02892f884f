/* Pools of connections, one per peer: where a call finds its stream.
 *
 * A pool opens as few h2 connections as their streams allow, and on HTTP/1.1 one per call up to a limit.
 * What a TLS peer speaks is learnt from its first connection.  New connections are begun a few at a time for
 * the whole client, since a hundred handshakes in one turn would stop the loop (research: trap 5). */
#include <string.h>

#include <openssl/ssl.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

#include "client_peer.h"

#define PER_PEER 64
#define HANDSHAKES 4
#define IDLE_TIME (60 * LP_SEC)
#define DIAL_TIME (10 * LP_SEC)		/* calls have their own, shorter patience */
#define PATIENCE (3 * LP_SEC)		/* after it a dial that nobody waits for is given up */
#define PACE LP_MSEC			/* between two bursts of dials */
#define REST (250 * LP_MSEC)
#define WAITING_MAX 16384
#define FORGET_AFTER (10 * LP_MIN)
#define H2_GUESS 100			/* streams of a connection that is not open yet */

static void want_dials(struct lp_peer *pool, int n);

/* ---- calls and slots meet ---- */

static struct lp_slot *pick(struct lp_peer *pool, const struct lp_call *call)
{
	bool fresh = lp_call_wire_wants_fresh(call);

	lp_list_each(&pool->slots, slot, struct lp_slot, link) {
		if (fresh && slot->used)
			continue;
		if (slot->ops->free_slots(slot->wire) > 0 && !lp_slot_too_old(slot, call))
			return slot;
	}
	return NULL;
}

static void take_from_waiting(struct lp_peer *pool, struct lp_call *call)
{
	lp_link_out(lp_call_wire_link(call));
	pool->n_waiting--;
}

/* A gRPC call has met a TLS peer without h2. */
static bool cannot_serve(const struct lp_peer *pool, const struct lp_call *call)
{
	return pool->known && !pool->speaks_h2 && lp_call_wire_request(call)->h2_only;
}

static void serve_waiting(struct lp_peer *pool)
{
	struct lp_link *at = pool->waiting.head.next;

	while (at != &pool->waiting.head) {
		struct lp_call *call = lp_call_wire_of_link(at);
		struct lp_slot *slot = NULL;

		at = at->next;
		if (cannot_serve(pool, call)) {
			take_from_waiting(pool, call);
			lp_call_wire_fail(call, LP_BAD_PEER, true, "the peer does not speak HTTP/2");
			continue;
		}
		slot = pick(pool, call);
		if (!slot && lp_call_wire_wants_fresh(call))
			continue;
		if (!slot)
			return;
		take_from_waiting(pool, call);
		lp_slot_give(slot, call);
	}
}

/* While no more connections may be opened, a call waits for a busy one, and its connect_time rests. */
static void tell_saturated(struct lp_peer *pool, bool saturated)
{
	if (pool->saturated == saturated)
		return;
	pool->saturated = saturated;
	for (struct lp_link *at = pool->waiting.head.next; at != &pool->waiting.head; at = at->next)
		lp_call_wire_queued(lp_call_wire_of_link(at), saturated);
}

static void fail_waiting(struct lp_peer *pool, enum lp_code why, const char *words)
{
	while (!lp_list_empty(&pool->waiting)) {
		struct lp_call *call = lp_call_wire_of_link(lp_list_first(&pool->waiting));

		take_from_waiting(pool, call);
		lp_call_wire_fail(call, why, true, words);
	}
}

/* How many calls one more connection would serve. */
static int calls_per_conn(const struct lp_peer *pool)
{
	if (pool->kind == LP_PEER_H2 || (pool->known && pool->speaks_h2))
		return pool->streams;
	return pool->kind == LP_PEER_H1 || pool->known ? 1 : WAITING_MAX;
}

/* How many connections there may be besides those that only finish what they have: no call may wait for one of
 * these.  A peer that says goodbye and does not go gets twice the limit at most. */
static int may_open(const struct lp_peer *pool)
{
	int max = pool->client->want.connections_per_peer;
	int leaving = 0;

	lp_list_each(&pool->slots, slot, struct lp_slot, link)
		leaving += slot->ops->leaving(slot->wire);
	return max + (leaving < max ? leaving : max) - pool->n_slots - pool->n_dials;
}

static void pump(void *self)
{
	struct lp_peer *pool = self;

	serve_waiting(pool);
	int room = may_open(pool);
	int per = calls_per_conn(pool);
	int need = (pool->n_waiting + per - 1) / per;
	if (pool->warm && !pool->n_slots)
		need = need ? need : 1;
	int more = need - pool->n_dials;
	if (more > room)
		more = room;
	bool resting = lp_timer_is_set(&pool->rest);
	want_dials(pool, resting || more < 0 ? 0 : more);
	tell_saturated(pool, pool->n_slots > 0 && room <= 0);
}

void lp_peer_pump(struct lp_peer *pool)
{
	lp_ready(pool->client->loop, &pool->pump);
}

/* ---- dialling ---- */

static void dial_done(void *self, struct lp_dial *dial, struct lp_conn *conn, const char *words);

static void dial_soon(struct lp_client *client)
{
	if (!lp_timer_is_set(&client->dial_timer))
		lp_ready(client->loop, &client->dial_row);
}

static void want_dials(struct lp_peer *pool, int n)
{
	pool->wanted = n;
	if (!n) {
		lp_link_out(&pool->dialing);
		return;
	}
	if (lp_link_in(&pool->dialing) || lp_link_in(&pool->ask.link))
		return;
	lp_list_add(&pool->client->dialing, &pool->dialing);
	dial_soon(pool->client);
}

/* No address answers.  Calls that still have a connection to wait for go on waiting, and after a rest
 * another is dialled. */
static void dial_failed(struct lp_peer *pool, const char *words)
{
	if (pool->client->want.log)
		lp_log_kv(pool->client->want.log, LP_DEBUG, "cannot connect", "peer", pool->text, "why", words, NULL);
	if (pool->n_slots || pool->n_dials) {
		lp_timer_set(&pool->rest, pool->client->loop, REST);
		return;
	}
	pool->warm = false;
	want_dials(pool, 0);
	fail_waiting(pool, LP_CONNECT, words);
}

static void ask_done(void *self)
{
	struct lp_peer *pool = self;
	const char *words;

	pool->again = true;
	if (lp_resolver_find(pool->client->resolver, pool->url.host, &words) || !words)
		lp_peer_pump(pool);
	else
		dial_failed(pool, words);
}

static const struct lp_addrs *addresses(struct lp_peer *pool)
{
	struct lp_client *client = pool->client;
	const char *words;

	if (pool->literal)
		return pool->literal;
	const struct lp_addrs *addrs = lp_resolver_find(client->resolver, pool->url.host, &words);
	if (words)
		dial_failed(pool, words);
	else if (!addrs)
		lp_resolver_ask(client->resolver, pool->url.host, &pool->ask);
	else if (pool->url.outside && !lp_addrs_outside(addrs))
		dial_failed(pool, "the name leads to this machine or its network");
	else
		return addrs;
	return NULL;
}

static void dial(struct lp_peer *pool)
{
	struct lp_client *client = pool->client;
	const struct lp_addrs *addrs = addresses(pool);

	if (!addrs)
		return;
	struct lp_dial_want want = {
		.loop = client->loop,
		.addrs = addrs,
		.port = pool->url.port,
		.tls = pool->url.tls ? client->want.tls : NULL,
		.server_name = pool->url.host,
		.h1_only = pool->kind == LP_PEER_H1,
		.session = pool->session,
		.time = DIAL_TIME,
		.on_done = dial_done,
		.self = pool,
	};
	pool->warm = false;
	pool->wanted--;
	pool->n_dials++;
	client->burst++;
	lp_list_add(&pool->dials, lp_dial_link(lp_dial_start(&want)));
}

/* Pools take turns; a burst is as many dials as may begin in one turn of the loop. */
static void dial_turn(void *self)
{
	struct lp_client *client = self;
	int64_t now = lp_mono(client->loop);

	if (now - client->burst_at >= PACE) {
		client->burst_at = now;
		client->burst = 0;
	}
	while (client->burst < client->want.handshakes_per_turn && !lp_list_empty(&client->dialing)) {
		struct lp_peer *pool = LP_CONTAINER(lp_list_first(&client->dialing), struct lp_peer, dialing);

		lp_link_out(&pool->dialing);
		dial(pool);
		if (pool->wanted > 0 && !lp_link_in(&pool->ask.link))
			lp_list_add(&client->dialing, &pool->dialing);
	}
	if (!lp_list_empty(&client->dialing))
		lp_timer_set(&client->dial_timer, client->loop, PACE);
}

static void drop_session(struct lp_peer *pool)
{
	SSL_SESSION_free(pool->session);
	pool->session = NULL;
}

static void dial_done(void *self, struct lp_dial *dialled, struct lp_conn *conn, const char *words)
{
	struct lp_peer *pool = self;

	(void)dialled;
	pool->n_dials--;
	if (conn) {
		pool->again = false;
		pool->known = true;
		pool->speaks_h2 = pool->kind == LP_PEER_H2 || (pool->kind == LP_PEER_AUTO && lp_conn_alpn(conn) == LP_ALPN_H2);
		lp_timer_clear(&pool->rest);
		lp_slot_open(pool, conn);
	} else if (!pool->literal && !pool->again) {
		pool->again = true;	/* the addresses were old: the peer may have moved */
		lp_resolver_forget(pool->client->resolver, pool->url.host);
	} else {
		drop_session(pool);
		dial_failed(pool, words);
	}
	lp_peer_pump(pool);
}

/* ---- pools ---- */

#define KEY_MAX 300

/* What makes two URLs the same peer. */
static struct lp_span make_key(char key[KEY_MAX], enum lp_peer_kind kind, const struct lp_url *url)
{
	struct lp_span name = url->unix_path ? lp_span(url->unix_path) : url->host;
	size_t len = name.len < KEY_MAX - 4 ? name.len : KEY_MAX - 4;

	key[0] = (char)kind;
	key[1] = (char)((url->tls ? 's' : url->unix_path ? 'u' : 'p') - (url->outside ? 'a' - 'A' : 0));
	key[2] = (char)(url->port >> 8);
	key[3] = (char)(url->port & 0xff);
	memcpy(key + 4, name.at, len);
	return lp_span_of(key, len + 4);
}

static void rested(void *self)
{
	pump(self);
}

static void read_literal(struct lp_peer *pool)
{
	struct lp_addr addr = { .len = sizeof(addr.sock.un) };

	if (pool->url.unix_path) {
		addr.sock.un.sun_family = AF_UNIX;
		if (!lp_span_copy(addr.sock.un.sun_path, sizeof(addr.sock.un.sun_path), lp_span(pool->text)))
			addr.sock.un.sun_path[0] = '\0';	/* too long: connecting will say so */
	} else if (!lp_addr_of_literal(&addr, pool->url.host)) {
		return;
	}
	pool->literal = lp_mem_zeroed(1, sizeof(*pool->literal));
	pool->literal->at[0] = addr;
	pool->literal->n = 1;
}

static struct lp_peer *pool_new(struct lp_client *client, enum lp_peer_kind kind, const struct lp_url *url)
{
	struct lp_span name = url->unix_path ? lp_span(url->unix_path) : url->host;
	struct lp_peer *pool = lp_mem_zeroed(1, sizeof(*pool) + name.len + 1);

	memcpy(pool->text, name.at, name.len);
	pool->client = client;
	pool->kind = kind;
	pool->url = (struct lp_url){ .tls = url->tls, .port = url->port, .outside = url->outside };
	if (url->unix_path)
		pool->url.unix_path = pool->text;
	else
		pool->url.host = lp_span_of(pool->text, name.len);
	pool->streams = H2_GUESS;
	pool->used_at = lp_mono(client->loop);
	pool->ask = (struct lp_ask){ .done = ask_done, .self = pool };
	pool->pump = (struct lp_ready){ .run = pump, .self = pool };
	pool->rest = (struct lp_timer){ .fire = rested, .self = pool };
	lp_list_init(&pool->waiting);
	lp_list_init(&pool->slots);
	lp_list_init(&pool->dials);
	read_literal(pool);
	return pool;
}

static struct lp_peer *pool_get(struct lp_client *client, const struct lp_url *url, bool h1_only, bool h2_only)
{
	enum lp_peer_kind kind = h1_only ? LP_PEER_H1 : url->tls ? LP_PEER_AUTO : h2_only ? LP_PEER_H2 : LP_PEER_H1;
	char bytes[KEY_MAX];
	struct lp_span key = make_key(bytes, kind, url);
	struct lp_peer *pool = lp_map_find(client->pools, key);

	if (pool)
		return pool;
	pool = pool_new(client, kind, url);
	lp_map_put(client->pools, key, pool);
	if (!lp_timer_is_set(&client->sweep))
		lp_timer_set(&client->sweep, client->loop, FORGET_AFTER);
	return pool;
}

static void drop_dials(struct lp_peer *pool, int64_t older_than)
{
	struct lp_link *at = pool->dials.head.next;

	while (at != &pool->dials.head) {
		struct lp_dial *d = lp_dial_of_link(at);

		at = at->next;
		if (lp_dial_started(d) > older_than)
			continue;
		lp_dial_close(d);
		pool->n_dials--;
	}
}

static void pool_free(struct lp_peer *pool)
{
	fail_waiting(pool, LP_RESET, "the client is closed");
	drop_dials(pool, INT64_MAX);
	lp_list_each(&pool->slots, slot, struct lp_slot, link) {
		slot->ops->close(slot->wire);
		lp_slot_free(slot);
	}
	lp_ask_cancel(&pool->ask);
	lp_link_out(&pool->dialing);
	lp_unready(&pool->pump);
	lp_timer_clear(&pool->rest);
	drop_session(pool);
	lp_mem_free(pool->literal);
	lp_mem_free(pool);
}

/* Peers that nobody has called for long are forgotten. */
static void sweep(void *self)
{
	struct lp_client *client = self;
	int64_t old = lp_mono(client->loop) - FORGET_AFTER;
	struct lp_span key;
	size_t at = 0;
	void *value;

	while (lp_map_next(client->pools, &at, &key, &value)) {
		struct lp_peer *pool = value;
		if (pool->n_waiting || pool->n_slots || pool->n_dials || pool->used_at > old)
			continue;
		lp_map_take(client->pools, key);
		pool_free(pool);
	}
	if (lp_map_count(client->pools))
		lp_timer_set(&client->sweep, client->loop, FORGET_AFTER);
}

/* ---- what call.c asks ---- */

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
	if (request->url->tls && !client->want.tls) {
		lp_call_wire_fail(call, LP_CONFIG, true, "https is not configured here");
		return;
	}
	struct lp_peer *pool = pool_get(client, request->url, request->h1_only, request->h2_only);
	*lp_call_wire_pool(call) = pool;
	pool->used_at = lp_mono(client->loop);
	struct lp_slot *slot = pool->n_waiting || cannot_serve(pool, call) ? NULL : pick(pool, call);
	if (slot) {
		lp_slot_give(slot, call);
		return;
	}
	if (pool->n_waiting >= WAITING_MAX) {
		lp_call_wire_fail(call, LP_UNAVAILABLE, true, "too many calls wait for this peer");
		return;
	}
	lp_list_add(&pool->waiting, lp_call_wire_link(call));
	pool->n_waiting++;
	if (pool->saturated)
		lp_call_wire_queued(call, true);
	lp_peer_pump(pool);
}

void lp_client_withdraw(struct lp_client *client, struct lp_call *call)
{
	struct lp_peer *pool = *lp_call_wire_pool(call);

	take_from_waiting(pool, call);
	if (pool->n_waiting)
		return;
	want_dials(pool, 0);
	drop_dials(pool, lp_mono(client->loop) - PATIENCE);
}

void lp_client_warm(struct lp_client *client, const struct lp_url *url)
{
	struct lp_peer *pool = pool_get(client, url, false, false);

	pool->warm = true;
	lp_peer_pump(pool);
}

static void close_client(void *arg)
{
	struct lp_client *client = arg;
	struct lp_span key;
	size_t at = 0;
	void *pool;

	client->closing = true;
	while (lp_map_next(client->pools, &at, &key, &pool))
		pool_free(pool);
	lp_map_free(&client->pools);
	lp_unready(&client->dial_row);
	lp_timer_clear(&client->dial_timer);
	lp_timer_clear(&client->sweep);
}

struct lp_client *lp_client_open(struct lp_scope *scope, struct lp_loop *loop, const struct lp_client_want *want)
{
	struct lp_client *client = lp_new(scope, struct lp_client);
	struct lp_client_want *w = &client->want;

	client->loop = loop;
	*w = *want;
	w->connections_per_peer = w->connections_per_peer ? w->connections_per_peer : PER_PEER;
	w->handshakes_per_turn = w->handshakes_per_turn ? w->handshakes_per_turn : HANDSHAKES;
	w->idle_time = w->idle_time ? w->idle_time : IDLE_TIME;
	client->pools = lp_map_new();
	lp_list_init(&client->dialing);
	client->dial_row = (struct lp_ready){ .run = dial_turn, .self = client };
	client->dial_timer = (struct lp_timer){ .fire = dial_turn, .self = client };
	client->sweep = (struct lp_timer){ .fire = sweep, .self = client };
	client->resolver = lp_resolver_open(scope, loop, 0);
	lp_defer(scope, close_client, client);
	return client;
}
