/* Listening, accepting, refusing, and telling protocols apart. */
#include "h1_fixture.h"

#include <sys/resource.h>
#include <sys/un.h>

#include "temp_dir.h"

static enum lp_code open_server(struct fixture *f, struct lp_server **out, struct lp_err *e)
{
	return lp_server_open(f->r.scope, out, f->r.loop, &f->want, e);
}

static void get_hello(struct peer *p)
{
	peer_send(p, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await(p, "\r\n\r\nhello");
	lp_buf_reset(&p->got);
}

static int64_t gauge(struct fixture *f)
{
	return lp_metric_value(f->want.metrics, LP_M_HTTP_CONNECTIONS, LP_LABELS("server"));
}

/* ---- addresses ---- */

static void a_port_that_is_taken_is_told_in_words(void **state)
{
	struct fixture *f = *state;
	struct lp_server *second;
	struct lp_err e = { 0 };
	char expected[80];

	assert_int_equal(open_server(f, &f->server, &e), LP_OK);
	f->want.address.port = lp_server_port(f->server);
	assert_int_equal(open_server(f, &second, &e), LP_CONFIG);
	snprintf(expected, sizeof(expected), "cannot listen on 127.0.0.1:%u: Address already in use",
		 lp_server_port(f->server));
	assert_string_equal(e.words, expected);
}

static void a_shared_port_is_shared_only_by_those_who_say_so(void **state)
{
	struct fixture *f = *state;
	struct lp_server *second;
	struct lp_err e = { 0 };

	f->want.share_port = true;
	assert_int_equal(open_server(f, &f->server, &e), LP_OK);
	f->want.address.port = lp_server_port(f->server);
	assert_int_equal(open_server(f, &second, &e), LP_OK);
	f->want.share_port = false;
	assert_int_equal(open_server(f, &second, &e), LP_CONFIG);
}

static void a_host_that_is_not_ours_is_told_in_words(void **state)
{
	struct fixture *f = *state;
	struct lp_err e = { 0 };

	f->want.address.host = LP_SPAN("192.0.2.1");
	assert_int_equal(open_server(f, &f->server, &e), LP_CONFIG);
	assert_true(has(e.words, "cannot listen on 192.0.2.1:0: "));
}

static int connect_v6(uint16_t port)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void no_host_is_every_address_of_both_families(void **state)
{
	struct fixture *f = *state;

	f->want.address.host = (struct lp_span){ 0 };
	struct peer *four = meet(f);
	peer_send(four, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	AWAIT(f, f->handled == 1);
	assert_int_equal(strncmp(lp_exchange_peer(f->ex), "127.0.0.1:", 10), 0);
	int fd = connect_v6(lp_server_port(f->server));
	if (fd < 0) {
		print_message("SKIP the IPv6 half: no loopback address\n");
		peer_close(four);
		return;
	}
	struct peer *six = peer_wrap(&f->r, fd);
	peer_send(six, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
	AWAIT(f, f->handled == 2);
	assert_int_equal(strncmp(lp_exchange_peer(f->ex), "[::1]:", 6), 0);
	peer_close(four);
	peer_close(six);
}

static void localhost_is_listened_on_as_a_name(void **state)
{
	struct fixture *f = *state;

	f->want.address.host = LP_SPAN("localhost");
	struct peer *p = meet(f);
	get_hello(p);
	peer_close(p);
}

static struct peer *connect_unix(struct fixture *f, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return peer_wrap(&f->r, fd);
}

static void a_unix_socket_is_served_and_a_stale_one_replaced(void **state)
{
	struct fixture *f = *state;
	struct temp_dir dir;
	struct lp_err e = { 0 };
	struct lp_server *second;

	temp_dir_make(&dir);
	const char *path = temp_dir_file(&dir, "s");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(stale, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	close(stale);
	f->want.address.unix_path = path;
	struct lp_scope *scope = lp_scope_open(f->r.scope, "first");
	assert_int_equal(lp_server_open(scope, &f->server, f->r.loop, &f->want, &e), LP_OK);
	struct peer *p = connect_unix(f, path);
	get_hello(p);
	peer_close(p);
	assert_int_equal(open_server(f, &second, &e), LP_CONFIG);	/* one that answers is not stale */
	assert_int_equal(access(path, F_OK), 0);
	lp_scope_close(&scope);
	assert_int_equal(access(path, F_OK), -1);
	temp_dir_remove(&dir);
}

static void a_file_in_the_way_of_a_unix_socket_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct temp_dir dir;
	struct lp_err e = { 0 };

	temp_dir_make(&dir);
	const char *path = temp_dir_file(&dir, "precious");
	fclose(fopen(path, "w"));
	f->want.address.unix_path = path;
	assert_int_equal(open_server(f, &f->server, &e), LP_CONFIG);
	assert_int_equal(access(path, F_OK), 0);
	temp_dir_remove(&dir);
}

/* ---- limits ---- */

static void one_connection_too_many_is_refused_with_503(void **state)
{
	struct fixture *f = *state;

	f->want.limits.connections = 2;
	struct peer *one = meet(f), *two = meet(f);
	get_hello(one);
	get_hello(two);
	struct peer *three = meet(f);
	peer_send(three, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	const char *got = peer_await_end(three);
	assert_int_equal(strncmp(got, "HTTP/1.1 503 ", 13), 0);
	assert_true(has(got, "retry-after: ") && has(got, "connection: close") && has(got, "\"detail\":"));
	assert_false(three->reset);
	assert_int_equal(refusals(f, "connections"), 1);
	get_hello(one);
	peer_close(two);
	AWAIT(f, gauge(f) == 1);
	struct peer *four = meet(f);
	get_hello(four);
	peer_close(one);
	peer_close(three);
	peer_close(four);
}

static void one_address_has_so_many_connections_and_the_next_is_refused_with_429(void **state)
{
	struct fixture *f = *state;

	f->want.limits.connections_per_client = 2;
	struct peer *one = meet(f), *two = meet(f);
	get_hello(one);
	get_hello(two);
	struct peer *three = meet(f);
	const char *got = peer_await_end(three);
	assert_int_equal(strncmp(got, "HTTP/1.1 429 ", 13), 0);
	assert_true(has(got, "retry-after: ") && has(got, "connection: close"));
	assert_true(has(got, "\"code\":\"too_many_requests\"") && has(got, "\"detail\":"));
	assert_int_equal(refusals(f, "connections_per_client"), 1);
	peer_close(two);
	AWAIT(f, gauge(f) == 1);
	struct peer *four = meet(f);
	get_hello(four);
	peer_close(one);
	peer_close(three);
	peer_close(four);
}

static void a_flood_of_refusals_costs_no_more_than_some(void **state)
{
	struct fixture *f = *state;
	struct peer *peers[120];
	int told = 0;

	f->want.limits.connections = 1;
	struct peer *one = meet(f);
	get_hello(one);
	for (int i = 0; i < 120; i++)
		peers[i] = meet(f);
	AWAIT(f, refusals(f, "connections") == 120);
	for (int i = 0; i < 120; i++) {
		peer_await_end(peers[i]);
		told += peers[i]->got.len > 0;
		peer_close(peers[i]);
	}
	assert_int_equal(told, 64);
	get_hello(one);
	peer_close(one);
}

static void without_descriptors_accepting_rests_and_goes_on_later(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, few;
	struct lp_err e;

	/* Connected before the limit, so that only the server's side lacks one. */
	assert_int_equal(open_server(f, &f->server, &e), LP_OK);
	struct peer *one = meet(f), *two = meet(f), *three = meet(f);
	int next = dup(0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)next + 1;	/* room for one */
	setrlimit(RLIMIT_NOFILE, &few);
	AWAIT(f, lp_server_connections(f->server) == 1);
	settle(&f->r);
	/* One was taken to hang up on; the loop did not spin on the others. */
	assert_int_equal(refusals(f, "descriptors"), 1);
	peer_await_end(two);
	setrlimit(RLIMIT_NOFILE, &old);
	get_hello(three);
	get_hello(one);
	peer_close(one);
	peer_close(two);
	peer_close(three);
}

/* What slow clients hold are their own slots: everybody else is served as ever. */
static void many_slow_heads_cost_only_their_slots(void **state)
{
	struct fixture *f = *state;
	struct peer *slow[200];

	f->want.limits.header_time = 2 * LP_SEC;
	for (int i = 0; i < 200; i++) {
		slow[i] = meet(f);
		peer_send(slow[i], i % 2 ? "GET / HTTP/1.1\r\nX: " : "G");
	}
	struct peer *quick = meet(f);
	for (int i = 0; i < 5; i++) {
		get_hello(quick);
		for (int j = 0; j < 200; j++)
			peer_send(slow[j], j % 2 ? "x" : "");
		settle(&f->r);
	}
	assert_int_equal(lp_server_connections(f->server), 201);
	AWAIT(f, lp_server_connections(f->server) == 1);
	get_hello(quick);
	for (int i = 0; i < 200; i++)
		peer_close(slow[i]);
	peer_close(quick);
}

static void a_preface_that_never_comes_whole_ends_after_header_time(void **state)
{
	struct fixture *f = *state;

	f->want.limits.header_time = 30 * LP_MSEC;
	struct peer *p = meet(f);
	peer_send(p, "PR");
	assert_string_equal(peer_await_end(p), "");
	assert_int_equal(lp_server_connections(f->server), 0);
	peer_close(p);
}

static void a_request_that_begins_like_the_preface_is_told_apart(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send(p, "P");
	settle(&f->r);
	peer_send(p, "OST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
	peer_await(p, "\r\n\r\nhi");
	peer_close(p);
}

/* The client's preface with an empty SETTINGS frame (RFC 9113 3.4); the answer begins with one too. */
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

static void speaks_h2(struct peer *p)
{
	peer_await_count(p, 9);
	assert_int_equal(p->got.mem[p->got.off + 3], 4);
}

static void http_2_is_spoken_to_who_begins_with_its_preface(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	peer_send_span(p, lp_span_of(preface, sizeof(preface) - 1));
	speaks_h2(p);
	peer_close(p);
	p = meet(f);
	for (size_t i = 0; i < sizeof(preface) - 1; i++) {
		peer_send_span(p, lp_span_of(preface + i, 1));
		real_loop_run_for(&f->r, 250);
		real_loop_run_for(&f->r, 250);
	}
	speaks_h2(p);
	lp_server_drain(f->server);
	peer_await_end(p);
	peer_close(p);
}

/* ---- TLS ---- */

struct secure {
	struct temp_dir dir;
	SSL_CTX *ctx;
};

static void make_secure(struct fixture *f, struct secure *s)
{
	struct lp_err e;

	temp_dir_make(&s->dir);
	s->ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(lp_tls_server_open(f->r.scope, &f->want.tls, lp_fmt(f->r.scope, "%s/c", s->dir.path),
					    lp_fmt(f->r.scope, "%s/k", s->dir.path), LP_SPAN("localhost"), &e),
			 LP_OK);
}

static void drop_secure(struct secure *s)
{
	SSL_CTX_free(s->ctx);
	temp_dir_remove(&s->dir);
}

static void https_is_served_with_and_without_alpn(void **state)
{
	struct fixture *f = *state;
	struct secure s;

	make_secure(f, &s);
	for (int i = 0; i < 2; i++) {
		struct peer *p = meet(f);

		peer_secure(p, s.ctx, i ? "\x08http/1.1" : NULL, NULL);
		get_hello(p);
		get_hello(p);
		peer_send(p, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
		AWAIT(f, f->handled == 3 * (i + 1));
		assert_true(lp_exchange_is_tls(f->ex));
		peer_close(p);
	}
	drop_secure(&s);
}

static void alpn_chooses_http_2(void **state)
{
	struct fixture *f = *state;
	struct secure s;

	make_secure(f, &s);
	struct peer *p = meet(f);
	peer_secure(p, s.ctx, "\x02h2\x08http/1.1", NULL);
	peer_send_span(p, lp_span_of(preface, sizeof(preface) - 1));
	speaks_h2(p);
	peer_close(p);
	/* Who has agreed on HTTP/1.1 does not get HTTP/2 by the preface. */
	p = meet(f);
	peer_secure(p, s.ctx, "\x08http/1.1", NULL);
	peer_send_span(p, lp_span_of(preface, sizeof(preface) - 1));
	assert_int_equal(strncmp(peer_await_end(p), "HTTP/1.1 ", 9), 0);
	peer_close(p);
	drop_secure(&s);
}

static void big_replies_and_bodies_pass_over_tls(void **state)
{
	struct fixture *f = *state;
	static char body[3 * 1000 * 1000];
	struct secure s;

	make_secure(f, &s);
	f->left = 5 * 1000 * 1000;
	f->want.limits.body_bytes = 10 * 1000 * 1000;
	struct peer *p = meet(f);
	peer_secure(p, s.ctx, NULL, NULL);
	peer_send(p, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await_count(p, 5 * 1000 * 1000);
	lp_buf_reset(&p->got);
	memset(body, 'b', sizeof(body));
	peer_send(p, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
	peer_send_span(p, lp_span_of(body, sizeof(body)));
	peer_await_count(p, sizeof(body));
	assert_int_equal(f->body.len, sizeof(body));
	peer_close(p);
	drop_secure(&s);
}

static void a_handshake_that_does_not_end_is_ended(void **state)
{
	struct fixture *f = *state;
	struct secure s;

	make_secure(f, &s);
	f->want.limits.handshake_time = 40 * LP_MSEC;
	struct peer *p = meet(f);
	peer_send_span(p, lp_span_of("\x16\x03\x01\x02\x00\x01", 6));
	AWAIT(f, lp_server_connections(f->server) == 1);
	peer_await_end(p);
	assert_int_equal(lp_server_connections(f->server), 0);
	assert_int_equal(refusals(f, "handshake_time"), 1);
	peer_close(p);
	drop_secure(&s);
}

static void plain_http_to_a_tls_port_is_told_so(void **state)
{
	struct fixture *f = *state;
	struct secure s;

	make_secure(f, &s);
	struct peer *p = meet(f);
	peer_send(p, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	const char *got = peer_await_end(p);
	assert_int_equal(strncmp(got, "HTTP/1.1 400 ", 13), 0);
	assert_true(has(got, "this port speaks TLS: use https"));
	assert_int_equal(lp_server_connections(f->server), 0);
	assert_int_equal(f->handled, 0);
	peer_close(p);
	p = meet(f);
	peer_send(p, "nonsense that is no TLS either\r\n\r\n");
	peer_await_end(p);
	peer_close(p);
	drop_secure(&s);
}

static void a_drain_lets_a_handshake_end_and_then_closes(void **state)
{
	struct fixture *f = *state;
	struct secure s;

	make_secure(f, &s);
	struct peer *p = meet(f);
	AWAIT(f, lp_server_connections(f->server) == 1);
	lp_server_drain(f->server);
	lp_server_drain(f->server);
	assert_int_equal(lp_server_connections(f->server), 1);
	peer_secure(p, s.ctx, NULL, NULL);
	peer_await_end(p);
	assert_int_equal(lp_server_connections(f->server), 0);
	peer_close(p);
	drop_secure(&s);
}

static void after_a_drain_nobody_listens(void **state)
{
	struct fixture *f = *state;
	struct peer *p = meet(f);

	get_hello(p);
	uint16_t port = lp_server_port(f->server);
	lp_server_drain(f->server);
	assert_int_equal(lp_server_port(f->server), port);
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	peer_close(p);
}

static void connections_are_counted(void **state)
{
	struct fixture *f = *state;
	struct peer *one = meet(f), *two = meet(f);

	AWAIT(f, gauge(f) == 2);
	peer_close(one);
	AWAIT(f, gauge(f) == 1);
	peer_close(two);
	AWAIT(f, gauge(f) == 0);
}

/* 10,000 jobs in flight are one of the aims: what an idle or waiting connection holds is counted here. */
static void a_connection_with_a_request_in_flight_is_small(void **state)
{
	struct fixture *f = *state;
	struct peer *peers[50];
	size_t before = lp_scope_bytes(f->r.scope);

	for (int i = 0; i < 50; i++) {
		peers[i] = meet(f);
		if (!i)
			before = lp_scope_bytes(f->r.scope);
		peer_send(peers[i], "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
	}
	AWAIT(f, f->handled == 50);
	assert_true((lp_scope_bytes(f->r.scope) - before) / 50 < 4096);
	for (int i = 0; i < 50; i++)
		peer_close(peers[i]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_port_that_is_taken_is_told_in_words),
		T(a_shared_port_is_shared_only_by_those_who_say_so),
		T(a_host_that_is_not_ours_is_told_in_words),
		T(no_host_is_every_address_of_both_families),
		T(localhost_is_listened_on_as_a_name),
		T(a_unix_socket_is_served_and_a_stale_one_replaced),
		T(a_file_in_the_way_of_a_unix_socket_is_left_alone),
		T(one_connection_too_many_is_refused_with_503),
		T(one_address_has_so_many_connections_and_the_next_is_refused_with_429),
		T(a_flood_of_refusals_costs_no_more_than_some),
		T(without_descriptors_accepting_rests_and_goes_on_later),
		T(many_slow_heads_cost_only_their_slots),
		T(a_preface_that_never_comes_whole_ends_after_header_time),
		T(a_request_that_begins_like_the_preface_is_told_apart),
		T(http_2_is_spoken_to_who_begins_with_its_preface),
		T(https_is_served_with_and_without_alpn),
		T(alpn_chooses_http_2),
		T(big_replies_and_bodies_pass_over_tls),
		T(a_handshake_that_does_not_end_is_ended),
		T(plain_http_to_a_tls_port_is_told_so),
		T(a_drain_lets_a_handshake_end_and_then_closes),
		T(after_a_drain_nobody_listens),
		T(connections_are_counted),
		T(a_connection_with_a_request_in_flight_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
