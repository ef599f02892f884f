/* One open connection to a peer, from the end of its dial on. */
#include <openssl/ssl.h>

#include <lpd/base/mem.h>

#include "client_peer.h"

static void count_conn(const struct lp_client *client, int64_t n)
{
	if (client->want.metrics)
		lp_metric_add(client->want.metrics, LP_M_HTTP_CONNECTIONS, LP_LABELS("client"), n);
}

void lp_slot_free(struct lp_slot *slot)
{
	lp_link_out(&slot->link);
	lp_timer_clear(&slot->idle);
	slot->pool->n_slots--;
	count_conn(slot->pool->client, -1);
	lp_mem_free(slot);
}

/* The timer is not touched per call: it looks when it rings. */
static void idle_rang(void *self)
{
	struct lp_slot *slot = self;
	struct lp_client *client = slot->pool->client;

	if (!slot->idle_since)
		return;
	int64_t left = slot->idle_since + client->want.idle_time - lp_mono(client->loop);
	if (left > 0)
		lp_timer_set(&slot->idle, client->loop, left);
	else
		slot->ops->retire(slot->wire);
}

static void now_idle(struct lp_slot *slot)
{
	struct lp_client *client = slot->pool->client;

	slot->idle_since = lp_mono(client->loop);
	if (!lp_timer_is_set(&slot->idle))
		lp_timer_set(&slot->idle, client->loop, client->want.idle_time);
	if (slot->h2)
		return;
	/* The last used first, so that what a peak opened can grow old. */
	lp_link_out(&slot->link);
	lp_list_add_front(&slot->pool->slots, &slot->link);
}

static void on_change(void *self)
{
	struct lp_slot *slot = self;
	int active = slot->ops->active(slot->wire);

	if (!active && !slot->idle_since)
		now_idle(slot);
	if (slot->h2 && slot->ops->free_slots(slot->wire))
		slot->pool->streams = active + slot->ops->free_slots(slot->wire);
	lp_peer_pump(slot->pool);
}

static void on_closed(void *self)
{
	struct lp_slot *slot = self;
	struct lp_peer *pool = slot->pool;

	lp_slot_free(slot);
	lp_peer_pump(pool);
}

/* Tickets of TLS 1.3 come after the handshake: by the second call they are there. */
static void keep_session(struct lp_slot *slot)
{
	struct lp_peer *pool = slot->pool;

	if (slot->has_session || !slot->used || !pool->url.tls)
		return;
	void *session = lp_conn_session(slot->conn);
	slot->has_session = true;
	if (!session)
		return;
	SSL_SESSION_free(pool->session);
	pool->session = session;
}

void lp_slot_open(struct lp_peer *pool, struct lp_conn *conn)
{
	struct lp_client *client = pool->client;
	struct lp_slot *slot = lp_mem_zeroed(1, sizeof(*slot));
	struct lp_client_conn_want want = { client->loop, on_change, on_closed, slot };

	slot->pool = pool;
	slot->conn = conn;
	slot->h2 = pool->speaks_h2;
	slot->ops = slot->h2 ? &lp_http2_client_ops : &lp_http1_client_ops;
	slot->idle = (struct lp_timer){ .fire = idle_rang, .self = slot };
	lp_list_add(&pool->slots, &slot->link);
	pool->n_slots++;
	count_conn(client, 1);
	slot->wire = slot->h2 ? lp_http2_client_open(&want, conn) : lp_http1_client_open(&want, conn);
	now_idle(slot);
}

/* A peer may be known to close what idles (a runner does after 5 s): the call says how old is too old. */
bool lp_slot_too_old(struct lp_slot *slot, const struct lp_call *call)
{
	int64_t limit = lp_call_wire_request(call)->idle_retire;

	if (!limit || !slot->used || !slot->idle_since)
		return false;
	if (lp_mono(slot->pool->client->loop) - slot->idle_since < limit)
		return false;
	slot->ops->retire(slot->wire);
	return true;
}

void lp_slot_give(struct lp_slot *slot, struct lp_call *call)
{
	slot->pool->used_at = lp_mono(slot->pool->client->loop);
	keep_session(slot);
	if (slot->used && slot->idle_since)
		lp_call_wire_on_idle(call);
	slot->used = true;
	slot->idle_since = 0;
	slot->ops->start(slot->wire, call);
	if (!slot->ops->active(slot->wire))
		now_idle(slot);		/* the call could not even be written */
}
