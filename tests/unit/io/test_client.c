/* The pools of a client: how many connections, when, to which address, and what becomes of those that idle. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lpd/io/client.h>
#include <lpd/io/server.h>

#include "h2_peer.h"
#include "io/port/dial.h"
#include "temp_dir.h"

#define MANY 300

struct one {
	struct fixture *f;
	struct lp_scope *scope;
	struct lp_call *call;
	bool over;
};

struct fixture {
	struct real_loop r;
	struct temp_dir dir;
	struct lp_tls_server *tls;
	struct lp_server *server;
	struct lp_client *client;
	struct lp_client_want client_want;
	struct lp_call_want want;
	struct lp_url url;
	int listener;
	struct one calls[MANY];
	int started, finished;
	bool all, conn_open;
	/* the server's side */
	bool hold;			/* do not answer */
	struct lp_exchange *held[MANY];
	int n_held;
	char peer[64];
	int handled;
	bool h2;
};

static void on_server(void *self)
{
	(void)self;
}

static void handle(void *self, struct lp_exchange *ex)
{
	struct fixture *f = self;

	f->handled++;
	f->h2 = lp_exchange_is_h2(ex);
	snprintf(f->peer, sizeof(f->peer), "%s", lp_exchange_peer(ex));
	lp_exchange_watch(ex, on_server, f);
	if (f->hold)
		f->held[f->n_held++] = ex;
	else
		lp_reply(ex, 200, NULL, LP_SPAN("ok"));
}

static void release(struct fixture *f)
{
	for (int i = 0; i < f->n_held; i++)
		lp_reply(f->held[i], 200, NULL, LP_SPAN("ok"));
	f->n_held = 0;
	f->hold = false;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	real_loop_open(&f->r);
	f->listener = -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lp_scope_close(&f->r.scope);
	if (f->listener >= 0)
		close(f->listener);
	if (f->tls)
		temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

static void set_url(struct fixture *f, const char *fmt, unsigned port)
{
	char text[128];
	struct lp_err e;

	snprintf(text, sizeof(text), fmt, port);
	assert_int_equal(lp_url_parse(f->r.scope, &f->url, lp_span(text), &e), LP_OK);
}

static void open_tls(struct fixture *f)
{
	char cert[128], key[128];
	struct lp_err e;

	temp_dir_make(&f->dir);
	snprintf(cert, sizeof(cert), "%s/cert.pem", f->dir.path);
	snprintf(key, sizeof(key), "%s/key.pem", f->dir.path);
	assert_int_equal(lp_tls_server_open(f->r.scope, &f->tls, cert, key, LP_SPAN("localhost"), &e), LP_OK);
}

/* A server, and a client that knows its way to it. */
static void open_pair(struct fixture *f, bool tls)
{
	struct lp_server_want want = { .handle = handle, .self = f };
	struct lp_err e;

	if (tls)
		open_tls(f);
	want.tls = f->tls;
	want.address.host = LP_SPAN("127.0.0.1");
	assert_int_equal(lp_server_open(f->r.scope, &f->server, f->r.loop, &want, &e), LP_OK);
	set_url(f, tls ? "https://127.0.0.1:%u/" : "http://127.0.0.1:%u/", lp_server_port(f->server));
	f->client_want.tls = lp_tls_client_open(f->r.scope);
	f->client = lp_client_open(f->r.scope, f->r.loop, &f->client_want);
	f->want = (struct lp_call_want){ .method = "POST", .url = &f->url, .body = LP_SPAN("x") };
}

/* Only a client, and a port that listens but that no one serves. */
static void open_alone(struct fixture *f)
{
	uint16_t port;

	f->listener = h2_listen(&port);
	fcntl(f->listener, F_SETFL, O_NONBLOCK);
	set_url(f, "http://127.0.0.1:%u/", port);
	f->client_want.tls = lp_tls_client_open(f->r.scope);
	f->client = lp_client_open(f->r.scope, f->r.loop, &f->client_want);
	f->want = (struct lp_call_want){ .method = "POST", .url = &f->url, .body = LP_SPAN("x") };
}

static void on_event(void *self)
{
	struct one *c = self;

	if (c->over || lp_call_state(c->call) < LP_CALL_DONE)
		return;
	c->over = true;
	c->f->finished++;
	c->f->all = c->f->finished == c->f->started;
}

static struct one *start(struct fixture *f)
{
	struct one *c = &f->calls[f->started++];

	f->all = false;
	c->f = f;
	c->scope = lp_scope_open(f->r.scope, "call");
	c->call = lp_call_start(c->scope, f->client, &f->want, on_event, c);
	return c;
}

static void finish_all(struct fixture *f)
{
	real_loop_run_until(&f->r, &f->all);
	for (int i = 0; i < f->started; i++) {
		if (lp_call_state(f->calls[i].call) != LP_CALL_DONE)
			print_error("%d: %s\n", i, lp_call_err(f->calls[i].call)->words);
		assert_int_equal(lp_call_state(f->calls[i].call), LP_CALL_DONE);
	}
}

static void expect_failed(struct fixture *f, struct one *c, enum lp_code code, const char *words)
{
	real_loop_run_until(&f->r, &c->over);
	assert_int_equal(lp_call_state(c->call), LP_CALL_FAILED);
	if (lp_call_err(c->call)->code != code || !strstr(lp_call_err(c->call)->words, words))
		print_error("%s\n", lp_call_err(c->call)->words);
	assert_int_equal(lp_call_err(c->call)->code, code);
	assert_non_null(strstr(lp_call_err(c->call)->words, words));
	assert_false(lp_call_sent(c->call));
}

static int accepted(const struct fixture *f)
{
	int n = 0, fd;

	while ((fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		close(fd);
		n++;
	}
	return n;
}

/* ---- how many connections ---- */

static void three_hundred_calls_over_tls_share_few_h2_connections(void **state)
{
	struct fixture *f = *state;

	open_pair(f, true);
	f->hold = true;
	for (int i = 0; i < MANY; i++)
		start(f);
	while (f->handled < MANY)
		real_loop_run_for(&f->r, 10 * LP_MSEC);
	assert_true(f->h2);
	assert_true(lp_server_connections(f->server) <= 3);
	release(f);
	finish_all(f);
}

static void plain_calls_use_http_1_and_at_most_so_many_connections(void **state)
{
	struct fixture *f = *state;

	f->client_want.connections_per_peer = 4;
	open_pair(f, false);
	for (int i = 0; i < 40; i++)
		start(f);
	finish_all(f);
	assert_false(f->h2);
	assert_true(lp_server_connections(f->server) <= 4);
}

static void a_runner_is_spoken_to_in_http_1_even_over_tls(void **state)
{
	struct fixture *f = *state;

	open_pair(f, true);
	f->want.h1_only = true;
	start(f);
	finish_all(f);
	assert_false(f->h2);
}

static void a_second_call_takes_the_first_ones_connection(void **state)
{
	struct fixture *f = *state;
	char first[64];

	open_pair(f, true);
	start(f);
	finish_all(f);
	memcpy(first, f->peer, sizeof(first));
	start(f);
	finish_all(f);
	assert_string_equal(first, f->peer);
}

static void a_warm_connection_is_there_before_the_call(void **state)
{
	struct fixture *f = *state;

	open_pair(f, true);
	lp_client_warm(f->client, &f->url);
	for (int i = 0; i < 100 && !lp_server_connections(f->server); i++)
		real_loop_run_for(&f->r, 10 * LP_MSEC);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	assert_int_equal(lp_server_connections(f->server), 1);
	start(f);
	finish_all(f);
	assert_int_equal(lp_server_connections(f->server), 1);
}

static void calls_that_wait_for_busy_connections_outlive_connect_time(void **state)
{
	struct fixture *f = *state;

	f->client_want.connections_per_peer = 1;
	open_pair(f, false);
	f->want.connect_time = 50 * LP_MSEC;
	f->hold = true;
	start(f);
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	start(f);
	start(f);
	real_loop_run_for(&f->r, 200 * LP_MSEC);
	assert_int_equal(f->handled, 1);
	release(f);
	finish_all(f);
	assert_int_equal(lp_server_connections(f->server), 1);
}

static void connections_are_begun_a_few_at_a_time(void **state)
{
	struct fixture *f = *state;
	int n;

	f->client_want.handshakes_per_turn = 2;
	open_alone(f);
	for (int i = 0; i < 40; i++)
		start(f);
	real_loop_run_for(&f->r, 3 * LP_MSEC);
	n = accepted(f);
	assert_in_range(n, 1, 20);
	for (int i = 0; i < 500 && n < 40; i++) {
		real_loop_run_for(&f->r, LP_MSEC);
		n += accepted(f);
	}
	assert_true(n >= 40);
}

/* ---- idle connections ---- */

static void idle_connections_are_retired(void **state)
{
	struct fixture *f = *state;

	f->client_want.idle_time = 60 * LP_MSEC;
	open_pair(f, true);
	start(f);
	f->want.h1_only = true;
	start(f);
	finish_all(f);
	assert_int_equal(lp_server_connections(f->server), 2);
	for (int i = 0; i < 100 && lp_server_connections(f->server); i++)
		real_loop_run_for(&f->r, 10 * LP_MSEC);
	assert_int_equal(lp_server_connections(f->server), 0);
	start(f);
	finish_all(f);
}

static void a_call_may_ask_for_a_connection_that_idled_less(void **state)
{
	struct fixture *f = *state;
	char first[64];

	open_pair(f, false);
	start(f);
	finish_all(f);
	memcpy(first, f->peer, sizeof(first));
	real_loop_run_for(&f->r, 60 * LP_MSEC);
	f->want.idle_retire = 30 * LP_MSEC;
	start(f);
	finish_all(f);
	assert_string_not_equal(first, f->peer);
}

static void a_connection_the_server_closed_while_idle_is_not_used(void **state)
{
	struct fixture *f = *state;
	struct lp_server_want want = { .handle = handle, .self = f, .limits = { .idle_time = 40 * LP_MSEC } };
	struct lp_server *server;
	struct lp_err e;

	open_pair(f, false);
	want.address.host = LP_SPAN("127.0.0.1");
	assert_int_equal(lp_server_open(f->r.scope, &server, f->r.loop, &want, &e), LP_OK);
	set_url(f, "http://127.0.0.1:%u/", lp_server_port(server));
	for (int i = 0; i < 2; i++) {
		f->want.h2_only = i;
		start(f);
		finish_all(f);
		real_loop_run_for(&f->r, 150 * LP_MSEC);
		assert_int_equal(lp_server_connections(server), 0);
		start(f);
		finish_all(f);
	}
}

static void a_draining_server_finishes_and_the_next_call_fails_to_connect(void **state)
{
	struct fixture *f = *state;

	open_pair(f, true);
	f->hold = true;
	start(f);
	while (!f->handled)
		real_loop_run_for(&f->r, 10 * LP_MSEC);
	lp_server_drain(f->server);
	real_loop_run_for(&f->r, 50 * LP_MSEC);
	release(f);
	finish_all(f);
	expect_failed(f, start(f), LP_CONNECT, "connection refused");
}

/* ---- addresses ---- */

static void a_refused_connection_fails_at_once_and_names_the_peer(void **state)
{
	struct fixture *f = *state;
	char peer[32];

	open_alone(f);
	close(f->listener);
	f->listener = -1;
	struct one *c = start(f);
	expect_failed(f, c, LP_CONNECT, "connection refused");
	snprintf(peer, sizeof(peer), "127.0.0.1:%u", f->url.port);
	assert_non_null(strstr(lp_call_err(c->call)->words, peer));
}

static void a_peer_that_never_shakes_hands_runs_into_connect_time(void **state)
{
	struct fixture *f = *state;

	open_alone(f);
	set_url(f, "https://127.0.0.1:%u/", f->url.port);
	f->want.connect_time = 80 * LP_MSEC;
	expect_failed(f, start(f), LP_CONNECT, "no connection within 80ms");
}

static void https_without_tls_is_a_matter_of_configuration(void **state)
{
	struct fixture *f = *state;

	open_alone(f);
	f->client_want.tls = NULL;
	f->client = lp_client_open(f->r.scope, f->r.loop, &f->client_want);
	set_url(f, "https://127.0.0.1:%u/", f->url.port);
	expect_failed(f, start(f), LP_CONFIG, "https is not configured");
}

static void a_name_is_looked_up(void **state)
{
	struct fixture *f = *state;

	open_pair(f, true);
	set_url(f, "https://localhost:%u/", f->url.port);
	start(f);
	start(f);
	finish_all(f);
}

static void a_name_that_must_lead_outside_does_not_lead_here(void **state)
{
	struct fixture *f = *state;

	open_pair(f, true);
	set_url(f, "https://localhost:%u/", f->url.port);
	start(f);
	finish_all(f);
	f->url.outside = true;		/* nor is the connection used that is open for others */
	expect_failed(f, start(f), LP_CONNECT, "leads to this machine");
}

static void an_unknown_name_is_a_failure_to_connect(void **state)
{
	struct fixture *f = *state;

	open_alone(f);
	set_url(f, "http://no-such-host.invalid:%u/", f->url.port);
	f->want.connect_time = LP_SEC;
	struct one *c = start(f);
	expect_failed(f, c, LP_CONNECT, "no-such-host.invalid:");
}

static void a_unix_socket_is_a_peer_like_others(void **state)
{
	struct fixture *f = *state;
	struct lp_server_want want = { .handle = handle, .self = f };
	struct lp_server *server;
	char text[200];
	struct lp_err e;

	open_pair(f, true);
	snprintf(text, sizeof(text), "unix:%s/sock", f->dir.path);
	assert_int_equal(lp_url_parse(f->r.scope, &f->url, lp_span(text), &e), LP_OK);
	want.address = f->url;
	assert_int_equal(lp_server_open(f->r.scope, &server, f->r.loop, &want, &e), LP_OK);
	start(f);
	f->want.h2_only = true;
	start(f);
	finish_all(f);
	assert_int_equal(lp_server_connections(server), 2);
}

static void closing_a_waiting_call_is_clean_in_any_state(void **state)
{
	struct fixture *f = *state;

	open_alone(f);
	set_url(f, "https://localhost:%u/", f->url.port);
	for (int i = 0; i < 12; i++) {
		struct one *c = start(f);
		/* Before the first turn, while the name is looked up, while the handshake hangs. */
		for (int turns = 0; turns < i; turns++)
			real_loop_run_for(&f->r, LP_MSEC);
		lp_scope_close(&c->scope);
	}
	real_loop_run_for(&f->r, 20 * LP_MSEC);
	assert_int_equal(f->finished, 0);
}

/* ---- happy eyeballs ---- */

/* A listener whose queue is full: connecting to it hangs. */
static int open_black_hole(uint32_t host, uint16_t *port, int fill[3])
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(host) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*port = ntohs(addr.sin_port);
	for (int i = 0; i < 3; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(fill[i], (struct sockaddr *)&addr, len);
	}
	return fd;
}

static void on_dialled(void *self, struct lp_dial *dial, struct lp_conn *conn, const char *words)
{
	struct fixture *f = self;

	(void)dial;
	(void)words;
	if (conn) {
		snprintf(f->peer, sizeof(f->peer), "%s", lp_conn_peer(conn));
		lp_conn_close(conn);
	}
	f->conn_open = true;
}

static void the_second_address_is_tried_when_the_first_hangs(void **state)
{
	struct fixture *f = *state;
	struct lp_addrs addrs = { .n = 2 };
	struct lp_dial_want want = { .loop = f->r.loop, .addrs = &addrs, .time = 3 * LP_SEC,
				     .on_done = on_dialled, .self = f };
	int fill[3], hole;
	char peer[32];

	f->listener = h2_listen(&want.port);
	hole = open_black_hole(0x7f000002, &want.port, fill);	/* 127.0.0.2, same port */
	assert_true(lp_addr_of_literal(&addrs.at[0], LP_SPAN("127.0.0.2")));
	assert_true(lp_addr_of_literal(&addrs.at[1], LP_SPAN("127.0.0.1")));
	int64_t begun = lp_mono(f->r.loop);
	lp_dial_start(&want);
	real_loop_run_until(&f->r, &f->conn_open);
	int64_t took = lp_mono(f->r.loop) - begun;
	snprintf(peer, sizeof(peer), "127.0.0.1:%u", want.port);
	assert_string_equal(f->peer, peer);
	assert_in_range(took, 240 * LP_MSEC, 2 * LP_SEC);
	for (int i = 0; i < 3; i++)
		close(fill[i]);
	close(hole);
}

static void the_second_address_is_tried_at_once_when_the_first_refuses(void **state)
{
	struct fixture *f = *state;
	struct lp_addrs addrs = { .n = 2 };
	struct lp_dial_want want = { .loop = f->r.loop, .addrs = &addrs, .time = 3 * LP_SEC,
				     .on_done = on_dialled, .self = f };
	char peer[32];

	f->listener = h2_listen(&want.port);
	assert_true(lp_addr_of_literal(&addrs.at[0], LP_SPAN("127.0.0.2")));
	assert_true(lp_addr_of_literal(&addrs.at[1], LP_SPAN("127.0.0.1")));
	int64_t begun = lp_mono(f->r.loop);
	lp_dial_start(&want);
	real_loop_run_until(&f->r, &f->conn_open);
	snprintf(peer, sizeof(peer), "127.0.0.1:%u", want.port);
	assert_string_equal(f->peer, peer);
	assert_true(lp_mono(f->r.loop) - begun < 200 * LP_MSEC);
}

static void a_dial_to_nothing_gives_up(void **state)
{
	struct fixture *f = *state;
	struct lp_addrs addrs = { .n = 1 };
	struct lp_dial_want want = { .loop = f->r.loop, .addrs = &addrs, .time = 100 * LP_MSEC,
				     .on_done = on_dialled, .self = f };
	int fill[3];
	int hole = open_black_hole(0x7f000001, &want.port, fill);

	assert_true(lp_addr_of_literal(&addrs.at[0], LP_SPAN("127.0.0.1")));
	lp_dial_start(&want);
	real_loop_run_until(&f->r, &f->conn_open);
	assert_string_equal(f->peer, "");
	for (int i = 0; i < 3; i++)
		close(fill[i]);
	close(hole);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(three_hundred_calls_over_tls_share_few_h2_connections),
		TEST(plain_calls_use_http_1_and_at_most_so_many_connections),
		TEST(a_runner_is_spoken_to_in_http_1_even_over_tls),
		TEST(a_second_call_takes_the_first_ones_connection),
		TEST(a_warm_connection_is_there_before_the_call),
		TEST(calls_that_wait_for_busy_connections_outlive_connect_time),
		TEST(connections_are_begun_a_few_at_a_time),
		TEST(idle_connections_are_retired),
		TEST(a_call_may_ask_for_a_connection_that_idled_less),
		TEST(a_connection_the_server_closed_while_idle_is_not_used),
		TEST(a_draining_server_finishes_and_the_next_call_fails_to_connect),
		TEST(a_refused_connection_fails_at_once_and_names_the_peer),
		TEST(a_peer_that_never_shakes_hands_runs_into_connect_time),
		TEST(https_without_tls_is_a_matter_of_configuration),
		TEST(a_name_is_looked_up),
		TEST(a_name_that_must_lead_outside_does_not_lead_here),
		TEST(an_unknown_name_is_a_failure_to_connect),
		TEST(a_unix_socket_is_a_peer_like_others),
		TEST(closing_a_waiting_call_is_clean_in_any_state),
		TEST(the_second_address_is_tried_when_the_first_hangs),
		TEST(the_second_address_is_tried_at_once_when_the_first_refuses),
		TEST(a_dial_to_nothing_gives_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
