/* Hosts, cuts between them, and what becomes of connections across a cut. */
#include "sim_net.h"

#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>

#define LATENCY (500 * LP_USEC)
#define PATIENCE (60 * LP_SEC)	/* keep-alive probes end a silent connection */

struct cut {
	struct lp_link link;
	const struct sim_host *a, *b;
};

struct sim_net *sim_net_open(struct lp_scope *scope, struct lp_loop *loop)
{
	struct sim_net *net = lp_new(scope, struct sim_net);

	net->scope = scope;
	net->loop = loop;
	net->next_port = 40000;
	lp_list_init(&net->hosts);
	lp_list_init(&net->cuts);
	lp_list_init(&net->conns);
	lp_list_init(&net->clients);
	sim_net_enter(net, sim_host_get(net, "here"));
	return net;
}

struct sim_host *sim_host_find(struct sim_net *net, struct lp_span name)
{
	lp_list_each(&net->hosts, host, struct sim_host, link) {
		if (lp_span_is(name, host->name))
			return host;
	}
	return NULL;
}

struct sim_host *sim_host_get(struct sim_net *net, const char *name)
{
	struct sim_host *host = sim_host_find(net, lp_span(name));

	if (host)
		return host;
	host = lp_new(net->scope, struct sim_host);
	host->net = net;
	host->latency = LATENCY;
	host->jitter = LATENCY / 5;
	lp_assert(lp_span_copy(host->name, sizeof(host->name), lp_span(name)));
	lp_list_init(&host->servers);
	lp_list_add(&net->hosts, &host->link);
	return host;
}

void sim_net_enter(struct sim_net *net, struct sim_host *host)
{
	net->here = host;
}

/* ---- cuts ---- */

bool sim_net_is_cut(const struct sim_net *net, const struct sim_host *a, const struct sim_host *b)
{
	if (a == b)
		return a->silent;
	if (a->silent || b->silent)
		return true;
	lp_list_each(&net->cuts, cut, struct cut, link) {
		if ((cut->a == a && cut->b == b) || (cut->a == b && cut->b == a))
			return true;
	}
	return false;
}

/* The state of the wires changed: what was held goes on, what is held now is counted. */
static void look_at_all(struct sim_net *net)
{
	lp_list_each(&net->conns, conn, struct sim_conn, link) {
		if (!conn->to)
			continue;	/* a dial to nowhere fails by itself */
		if (sim_net_is_cut(net, conn->from, conn->to)) {
			if (!lp_timer_is_set(&conn->lost))
				lp_timer_set(&conn->lost, net->loop, PATIENCE);
			continue;
		}
		lp_timer_clear(&conn->lost);
		sim_client_held(conn);
		lp_list_each(&conn->streams, stream, struct sim_stream, link)
			sim_stream_wake(stream);
	}
}

void sim_host_silence(struct sim_host *host, bool silent)
{
	host->silent = silent;
	look_at_all(host->net);
}

static void add_cut(struct sim_net *net, const struct sim_host *a, const struct sim_host *b)
{
	struct cut *cut = lp_new(net->scope, struct cut);

	cut->a = a;
	cut->b = b;
	lp_list_add(&net->cuts, &cut->link);
}

void sim_net_cut(struct sim_net *net, struct sim_host *a, struct sim_host *b, bool cut)
{
	if (!b) {
		sim_host_silence(a, cut);
		return;
	}
	lp_list_each(&net->cuts, old, struct cut, link) {
		if ((old->a == a && old->b == b) || (old->a == b && old->b == a))
			lp_link_out(&old->link);
	}
	if (cut)
		add_cut(net, a, b);
	look_at_all(net);
}

void sim_host_break(struct sim_host *host)
{
	lp_list_each(&host->net->conns, conn, struct sim_conn, link) {
		if (conn->from == host || conn->to == host)
			sim_conn_lose(conn, "the connection was reset");
	}
}

int64_t sim_delay(struct sim_net *net, const struct sim_host *from, const struct sim_host *to)
{
	int64_t jitter = from->jitter + to->jitter;
	int64_t delay = from->latency + to->latency;

	if (jitter > 0)
		delay += (int64_t)lp_dice_below(sim_loop_dice(net->loop), (uint64_t)jitter + 1);
	return delay > 0 ? delay : 1;
}

/* Clients and servers were opened after the loop and are closed by now: what is left hangs in the air. */
void sim_net_close(struct sim_net *net)
{
	net->closing = true;
	lp_list_each(&net->conns, conn, struct sim_conn, link)
		sim_conn_lose(conn, "the simulation is over");
	lp_list_each(&net->conns, conn, struct sim_conn, link)
		sim_conn_check(conn);
	lp_assert(lp_list_empty(&net->conns));
}
