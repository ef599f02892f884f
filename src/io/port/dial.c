#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/io/timer.h>

#include "dial.h"

#define NEXT_AFTER (250 * LP_MSEC)

struct attempt {
	struct lp_dial *dial;
	struct lp_conn *conn;		/* NULL: not begun, or over */
};

struct lp_dial {
	struct lp_dial_want want;
	struct lp_link link;
	struct lp_addrs addrs;
	struct attempt attempts[LP_ADDRS_MAX];
	int next;			/* address to try */
	int running;
	int64_t started;
	struct lp_timer pace, limit;
	char words[120];		/* of the last failure */
};

static void end_attempts(struct lp_dial *dial)
{
	for (int i = 0; i < dial->next; i++) {
		if (dial->attempts[i].conn)
			lp_conn_close(dial->attempts[i].conn);
	}
	lp_timer_clear(&dial->pace);
	lp_timer_clear(&dial->limit);
	lp_link_out(&dial->link);
}

static void done(struct lp_dial *dial, struct lp_conn *conn)
{
	const struct lp_dial_want *want = &dial->want;

	end_attempts(dial);
	want->on_done(want->self, dial, conn, dial->words);
	lp_mem_free(dial);
}

static void on_open(void *self)
{
	struct attempt *attempt = self;
	struct lp_conn *conn = attempt->conn;

	attempt->conn = NULL;
	done(attempt->dial, conn);
}

static void begin_next(void *self);

static void on_end(void *self, enum lp_code why, const char *words)
{
	struct attempt *attempt = self;
	struct lp_dial *dial = attempt->dial;

	lp_conn_close(attempt->conn);
	attempt->conn = NULL;
	dial->running--;
	snprintf(dial->words, sizeof(dial->words), "%s", words ? words : lp_code_words(why));
	if (dial->next < dial->addrs.n)
		begin_next(dial);
	else if (!dial->running)
		done(dial, NULL);
}

/* A server that speaks first has nothing to say before it is heard: what comes early is its handshake. */
static void on_bytes(void *self, struct lp_span bytes)
{
	(void)self;
	(void)bytes;
}

static void on_room(void *self)
{
	(void)self;
}

static const struct lp_conn_user user = {
	.on_open = on_open,
	.on_bytes = on_bytes,
	.on_room = on_room,
	.on_end = on_end,
};

static void begin_next(void *self)
{
	struct lp_dial *dial = self;
	struct attempt *attempt = &dial->attempts[dial->next];
	const struct lp_addr *addr = &dial->addrs.at[dial->next];
	struct lp_conn_dial how = {
		.addr = &addr->sock.any,
		.addr_len = addr->len,
		.tls = dial->want.tls,
		.server_name = dial->want.server_name,
		.h1_only = dial->want.h1_only,
		.session = dial->want.session,
	};

	lp_timer_clear(&dial->pace);
	dial->next++;
	dial->running++;
	attempt->dial = dial;
	attempt->conn = lp_conn_dial(dial->want.loop, &how, &user, attempt);
	if (dial->next < dial->addrs.n)
		lp_timer_set(&dial->pace, dial->want.loop, NEXT_AFTER);
}

static void give_up(void *self)
{
	struct lp_dial *dial = self;

	if (!dial->words[0])
		snprintf(dial->words, sizeof(dial->words), "no answer to the connection attempt");
	done(dial, NULL);
}

static void set_port(struct lp_addrs *addrs, uint16_t port)
{
	for (int i = 0; i < addrs->n; i++) {
		struct lp_addr *addr = &addrs->at[i];

		if (addr->sock.any.sa_family == AF_INET)
			addr->sock.in.sin_port = htons(port);
		else if (addr->sock.any.sa_family == AF_INET6)
			addr->sock.in6.sin6_port = htons(port);
	}
}

struct lp_dial *lp_dial_start(const struct lp_dial_want *want)
{
	struct lp_dial *dial = lp_mem_zeroed(1, sizeof(*dial));

	lp_assert(want->addrs->n > 0);
	dial->want = *want;
	dial->addrs = *want->addrs;
	set_port(&dial->addrs, want->port);
	dial->started = lp_mono(want->loop);
	dial->pace = (struct lp_timer){ .fire = begin_next, .self = dial };
	dial->limit = (struct lp_timer){ .fire = give_up, .self = dial };
	lp_timer_set(&dial->limit, want->loop, want->time);
	begin_next(dial);
	return dial;
}

void lp_dial_close(struct lp_dial *dial)
{
	end_attempts(dial);
	lp_mem_free(dial);
}

int64_t lp_dial_started(const struct lp_dial *dial)
{
	return dial->started;
}

struct lp_link *lp_dial_link(struct lp_dial *dial)
{
	return &dial->link;
}

struct lp_dial *lp_dial_of_link(struct lp_link *link)
{
	return LP_CONTAINER(link, struct lp_dial, link);
}
