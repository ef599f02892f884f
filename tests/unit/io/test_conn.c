/* A conn over real sockets, plain and with TLS: the same to its user. */
#include "peer.h"

#include <sys/resource.h>
#include <sys/un.h>

#include "io/port/conn_priv.h"

#include "temp_dir.h"

struct side {
	struct fixture *f;
	struct lp_conn *conn;
	struct lp_buf got;
	size_t n_got;
	bool count_only;
	bool opened, ended, pause_at_open, pause_at_once, close_at_once, flushed, has_room;
	int ends, rooms, flushes;
	enum lp_code why;
	char words[100];
};

struct fixture {
	struct real_loop r;
	struct lp_tls_server *server_tls;
	struct lp_tls_client *client_tls;
	struct side a, b;		/* a dialled, b accepted */
	int listener;
	struct sockaddr_in addr;
	bool tls;
	void *session;
	struct temp_dir dir;
};

static void on_open(void *self)
{
	struct side *s = self;

	s->opened = true;
	if (s->pause_at_open)
		lp_conn_pause(s->conn, true);
}

static void on_bytes(void *self, struct lp_span bytes)
{
	struct side *s = self;

	s->n_got += bytes.len;
	if (!s->count_only)
		lp_buf_add_span(&s->got, bytes);
	if (s->pause_at_once)
		lp_conn_pause(s->conn, true);
	if (s->close_at_once) {
		lp_conn_close(s->conn);
		s->conn = NULL;
	}
}

static void on_room(void *self)
{
	struct side *s = self;

	s->rooms++;
	s->has_room = true;
}

static void on_flushed(void *self)
{
	struct side *s = self;

	s->flushes++;
	s->flushed = true;
}

static void on_end(void *self, enum lp_code why, const char *words)
{
	struct side *s = self;

	s->ended = true;
	s->ends++;
	s->why = why;
	snprintf(s->words, sizeof(s->words), "%s", words);
}

static const struct lp_conn_user user = { on_open, on_bytes, on_room, on_end, on_flushed, NULL };

static void dial(struct fixture *f)
{
	struct lp_conn_dial dial = {
		.addr = (const struct sockaddr *)&f->addr,
		.addr_len = sizeof(f->addr),
		.tls = f->tls ? f->client_tls : NULL,
		.server_name = LP_SPAN("localhost"),
		.session = f->session,
	};

	f->a.conn = lp_conn_dial(f->r.loop, &dial, &user, &f->a);
}

static void accept_it(struct fixture *f)
{
	int fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	assert_true(fd >= 0);
	f->b.conn = lp_conn_accept(f->r.loop, fd, f->tls ? f->server_tls : NULL, &user, &f->b);
}

static void connect_both(struct fixture *f)
{
	dial(f);
	accept_it(f);
	real_loop_run_until(&f->r, &f->a.opened);
	real_loop_run_until(&f->r, &f->b.opened);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	socklen_t len = sizeof(f->addr);
	struct lp_err e = { 0 };

	real_loop_open(&f->r);
	f->a.f = f->b.f = f;
	temp_dir_make(&f->dir);
	assert_int_equal(lp_tls_server_open(f->r.scope, &f->server_tls, lp_fmt(f->r.scope, "%s/cert.pem", f->dir.path),
					    lp_fmt(f->r.scope, "%s/key.pem", f->dir.path), LP_SPAN("localhost"), &e),
			 LP_OK);
	f->client_tls = lp_tls_client_open(f->r.scope);
	f->addr = (struct sockaddr_in){ .sin_family = AF_INET };
	f->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (const struct sockaddr *)&f->addr, len), 0);
	assert_int_equal(listen(f->listener, 5), 0);
	getsockname(f->listener, (struct sockaddr *)&f->addr, &len);
	*state = f;
	return 0;
}

static int set_up_tls(void **state)
{
	int failed = set_up(state);

	((struct fixture *)*state)->tls = true;
	return failed;
}

static void forget(struct side *s)
{
	if (s->conn)
		lp_conn_close(s->conn);
	lp_buf_clear(&s->got);
	*s = (struct side){ .f = s->f };
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	forget(&f->a);
	forget(&f->b);
	SSL_SESSION_free(f->session);
	close(f->listener);
	lp_scope_close(&f->r.scope);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

/* Run until so many bytes have come. */
static void await(struct side *s, size_t count)
{
	for (int i = 0; i < 5000 && s->n_got < count; i++)
		real_loop_run_for(&s->f->r, LP_MSEC);
	assert_int_equal(s->n_got, count);
}

static void got_is(struct side *s, const char *text)
{
	await(s, strlen(text));
	assert_string_equal(lp_buf_text(&s->got), text);
}

/* ---- both kinds ---- */

static void bytes_go_both_ways(void **state)
{
	struct fixture *f = *state;

	connect_both(f);
	assert_int_equal(lp_conn_is_tls(f->a.conn), f->tls);
	assert_int_equal(lp_conn_alpn(f->a.conn), f->tls ? LP_ALPN_H2 : LP_ALPN_NONE);
	assert_int_equal(lp_conn_alpn(f->b.conn), f->tls ? LP_ALPN_H2 : LP_ALPN_NONE);
	assert_int_equal(strncmp(lp_conn_peer(f->b.conn), "127.0.0.1:", 10), 0);
	lp_conn_write(f->a.conn, LP_SPAN("to the "));
	lp_buf_add_text(lp_conn_out(f->a.conn), "server");
	lp_conn_flush_soon(f->a.conn);
	assert_int_equal(lp_conn_backlog(f->a.conn), 13);
	assert_int_equal(lp_conn_written(f->a.conn), 0);	/* not inside the call */
	got_is(&f->b, "to the server");
	assert_int_equal(lp_conn_written(f->a.conn), 13);
	assert_int_equal(f->a.flushes, 1);
	lp_conn_write(f->b.conn, LP_SPAN("and back"));
	got_is(&f->a, "and back");
}

static void what_is_written_before_it_is_open_goes_out_then(void **state)
{
	struct fixture *f = *state;

	dial(f);
	lp_conn_write(f->a.conn, LP_SPAN("early"));
	accept_it(f);
	got_is(&f->b, "early");
}

static void big_bytes_pass_with_back_pressure(void **state)
{
	struct fixture *f = *state;
	static char piece[100 * 1000];
	size_t total = 20 * 1000 * 1000, written = 0;

	connect_both(f);
	f->b.count_only = true;
	lp_conn_pause(f->b.conn, true);
	while (written < total) {
		memset(piece, (int)(written / sizeof(piece)), sizeof(piece));
		lp_conn_write(f->a.conn, lp_span_of(piece, sizeof(piece)));
		written += sizeof(piece);
	}
	assert_true(lp_conn_backlog(f->a.conn) > LP_CONN_HIGH);
	settle(&f->r);
	assert_int_equal(f->a.rooms, 0);
	assert_int_equal(f->b.n_got, 0);
	lp_conn_pause(f->b.conn, false);
	real_loop_run_until(&f->r, &f->a.has_room);
	await(&f->b, total);
	assert_int_equal(lp_conn_written(f->a.conn), total);
	assert_int_equal(lp_conn_backlog(f->a.conn), 0);
	assert_int_equal(f->a.rooms, 1);
	assert_true(f->a.flushed);
}

static void the_order_of_small_and_big_pieces_is_kept(void **state)
{
	struct fixture *f = *state;
	static char piece[70000];
	struct lp_buf expected = { 0 };

	connect_both(f);
	for (int i = 0; i < 60; i++) {
		size_t len = i % 3 == 0 ? sizeof(piece) : (size_t)(i * 7 + 1);

		memset(piece, 'a' + i % 26, len);
		lp_conn_write(f->a.conn, lp_span_of(piece, len));
		lp_buf_add(&expected, piece, len);
		if (i % 10 == 9)
			real_loop_run_for(&f->r, LP_MSEC);
	}
	await(&f->b, expected.len);
	assert_int_equal(memcmp(f->b.got.mem + f->b.got.off, expected.mem + expected.off, expected.len), 0);
	lp_buf_clear(&expected);
}

static void a_paused_reader_that_resumes_gets_what_came_meanwhile(void **state)
{
	struct fixture *f = *state;
	const size_t total = 70 * 1000;
	char bytes[100] = { 0 };

	connect_both(f);
	lp_conn_pause(f->b.conn, true);
	for (size_t sent = 0; sent < total; sent += sizeof(bytes)) {
		lp_conn_write(f->a.conn, lp_span_of(bytes, sizeof(bytes)));
		real_loop_run_for(&f->r, 0);		/* a record each */
	}
	f->b.pause_at_once = true;
	for (int i = 0; i < 100 && f->b.n_got < total; i++) {
		size_t before = f->b.n_got;

		lp_conn_pause(f->b.conn, false);
		settle(&f->r);
		assert_true(f->b.n_got > before);		/* each resumption brings something */
	}
	assert_int_equal(f->b.n_got, total);
}

static void the_peers_end_is_told_once_and_we_may_still_write(void **state)
{
	struct fixture *f = *state;

	connect_both(f);
	if (f->tls)
		SSL_shutdown(f->a.conn->ssl);
	else
		shutdown(f->a.conn->fd, SHUT_WR);
	real_loop_run_until(&f->r, &f->b.ended);
	assert_int_equal(f->b.why, LP_OK);
	lp_conn_write(f->b.conn, LP_SPAN("still here"));
	got_is(&f->a, "still here");
	settle(&f->r);
	assert_int_equal(f->b.ends, 1);
}

/* An end of TLS without its own word could be anybody's: a length nobody announced cannot be trusted then. */
static void tls_that_is_cut_is_no_orderly_end(void **state)
{
	struct fixture *f = *state;

	connect_both(f);
	shutdown(f->a.conn->fd, SHUT_WR);
	real_loop_run_until(&f->r, &f->b.ended);
	assert_int_equal(f->b.why, LP_RESET);
}

static void a_finished_conn_says_all_it_had_to_say(void **state)
{
	struct fixture *f = *state;
	static char big[3 * 1000 * 1000];

	connect_both(f);
	f->b.count_only = true;
	memset(big, 'x', sizeof(big));
	lp_conn_write(f->a.conn, lp_span_of(big, sizeof(big)));
	lp_conn_finish(f->a.conn);
	f->a.conn = NULL;
	await(&f->b, sizeof(big));
	real_loop_run_until(&f->r, &f->b.ended);
	assert_int_equal(f->b.why, LP_OK);
}

/* Closing a socket with unread bytes resets it, and the reset may overtake our last words. */
static void a_finished_conn_reads_away_what_the_peer_still_sends(void **state)
{
	struct fixture *f = *state;
	static char big[500 * 1000];

	connect_both(f);
	lp_conn_pause(f->a.conn, true);
	lp_conn_write(f->b.conn, lp_span_of(big, sizeof(big)));
	settle(&f->r);
	lp_conn_write(f->a.conn, LP_SPAN("too much"));
	lp_conn_finish(f->a.conn);
	f->a.conn = NULL;
	for (int i = 0; i < 10; i++) {
		lp_conn_write(f->b.conn, lp_span_of(big, sizeof(big)));
		real_loop_run_for(&f->r, 2 * LP_MSEC);
	}
	real_loop_run_until(&f->r, &f->b.ended);
	assert_int_equal(f->b.why, LP_OK);
	assert_string_equal(lp_buf_text(&f->b.got), "too much");
}

static void a_finished_conn_does_not_wait_for_ever(void **state)
{
	struct fixture *f = *state;
	static char zeros[100000];

	connect_both(f);
	lp_conn_finish(f->a.conn);	/* b never closes */
	f->a.conn = NULL;
	real_loop_run_until(&f->r, &f->b.ended);
	real_loop_run_for(&f->r, 2200 * LP_MSEC);
	f->b.ended = false;
	for (int i = 0; i < 20 && !f->b.ended; i++) {
		lp_conn_write(f->b.conn, lp_span_of(zeros, sizeof(zeros)));
		settle(&f->r);
	}
	assert_true(f->b.ended);	/* nobody is there any more */
	assert_int_equal(f->b.why, LP_RESET);
}

static void a_loop_may_close_while_a_conn_finishes(void **state)
{
	struct fixture *f = *state;

	connect_both(f);
	lp_conn_write(f->a.conn, LP_SPAN("x"));
	lp_conn_finish(f->a.conn);
	f->a.conn = NULL;		/* tear_down closes the loop; sanitizers see what is left */
}

static void a_conn_can_be_closed_inside_its_callback(void **state)
{
	struct fixture *f = *state;
	static char big[1000 * 1000];

	connect_both(f);
	f->b.close_at_once = true;
	lp_conn_write(f->a.conn, lp_span_of(big, sizeof(big)));
	real_loop_run_until(&f->r, &f->a.ended);
	assert_null(f->b.conn);
	assert_int_equal(f->b.ends, 0);
	assert_int_equal(f->a.why, LP_RESET);
}

/* The peer answers, then closes although there is more of ours on its way: the answer is read. */
static void what_came_before_a_failed_write_can_be_read(void **state)
{
	struct fixture *f = *state;
	static char big[5 * 1000 * 1000];

	connect_both(f);
	lp_conn_pause(f->b.conn, true);
	lp_conn_pause(f->a.conn, true);
	lp_conn_write(f->a.conn, lp_span_of(big, sizeof(big)));
	settle(&f->r);
	assert_true(lp_conn_backlog(f->a.conn) > 0);
	lp_conn_write(f->b.conn, LP_SPAN("refused"));
	settle(&f->r);
	lp_conn_close(f->b.conn);
	f->b.conn = NULL;
	settle(&f->r);
	lp_conn_pause(f->a.conn, false);
	real_loop_run_until(&f->r, &f->a.ended);
	assert_string_equal(lp_buf_text(&f->a.got), "refused");
	assert_int_equal(f->a.why, LP_RESET);
	lp_conn_write(f->a.conn, LP_SPAN("into the void"));
	assert_int_equal(lp_conn_backlog(f->a.conn), 0);
	settle(&f->r);
	assert_int_equal(f->a.ends, 1);
}

static void a_reset_is_told_as_one(void **state)
{
	struct fixture *f = *state;

	connect_both(f);
	lp_conn_reset(f->a.conn);
	f->a.conn = NULL;
	real_loop_run_until(&f->r, &f->b.ended);
	assert_int_equal(f->b.why, LP_RESET);
}

/* Each change of what is polled for costs system calls: a pause that ends before bytes come costs none. */
static void a_short_pause_does_not_touch_the_poll(void **state)
{
	struct fixture *f = *state;

	connect_both(f);
	int mask = f->b.conn->mask;
	assert_true(mask & UV_READABLE);
	lp_conn_pause(f->b.conn, true);
	assert_int_equal(f->b.conn->mask, mask);
	lp_conn_pause(f->b.conn, false);
	lp_conn_pause(f->b.conn, true);
	lp_conn_write(f->a.conn, LP_SPAN("x"));
	settle(&f->r);
	assert_int_equal(f->b.conn->mask, 0);	/* or epoll would report it again and again */
	assert_int_equal(f->b.n_got, 0);
	lp_conn_pause(f->b.conn, false);
	got_is(&f->b, "x");
}

static void an_idle_conn_holds_no_buffer(void **state)
{
	struct fixture *f = *state;

	connect_both(f);
	for (int i = 0; i < 3; i++) {
		lp_conn_write(f->a.conn, LP_SPAN("some bytes"));
		await(&f->b, 10 * (size_t)(i + 1));
	}
	assert_int_equal(f->a.conn->out.cap, 0);
	assert_true(sizeof(struct lp_conn) <= 512);
}

/* ---- opening ---- */

static void a_refused_connection_is_told_with_its_reason(void **state)
{
	struct fixture *f = *state;

	close(f->listener);
	f->listener = -1;
	dial(f);
	assert_false(f->a.ended);	/* never inline */
	real_loop_run_until(&f->r, &f->a.ended);
	assert_int_equal(f->a.why, LP_CONNECT);
	assert_string_equal(f->a.words, "connection refused");
	assert_false(f->a.opened);
	settle(&f->r);
	assert_int_equal(f->a.ends, 1);
}

static void a_connection_without_descriptors_is_told_and_not_thrown(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, none;

	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	dial(f);
	setrlimit(RLIMIT_NOFILE, &old);
	real_loop_run_until(&f->r, &f->a.ended);
	assert_int_equal(f->a.why, LP_CONNECT);
	lp_conn_close(f->a.conn);	/* one that never was */
	f->a = (struct side){ .f = f };
	dial(f);			/* and one that is closed before it is told */
}

static void a_unix_socket_is_dialled_by_path(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", f->dir.path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	listen(listener, 1);
	struct lp_conn_dial dial = { .addr = (const struct sockaddr *)&addr, .addr_len = sizeof(addr) };
	f->a.conn = lp_conn_dial(f->r.loop, &dial, &user, &f->a);
	f->b.conn = lp_conn_accept(f->r.loop, accept4(listener, NULL, NULL, SOCK_NONBLOCK), NULL, &user, &f->b);
	lp_conn_write(f->b.conn, LP_SPAN("hi"));
	got_is(&f->a, "hi");
	assert_string_equal(lp_conn_peer(f->b.conn), "unix");
	close(listener);
}

/* ---- TLS alone ---- */

static void a_client_resumes_its_session(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		connect_both(f);
		assert_int_equal(SSL_session_reused(f->a.conn->ssl), i > 0);
		lp_conn_write(f->b.conn, LP_SPAN("x"));	/* the ticket comes with the first bytes */
		await(&f->a, 1);
		SSL_SESSION_free(f->session);
		f->session = lp_conn_session(f->a.conn);
		assert_non_null(f->session);
		/* Whichever way it ends, the session stays good. */
		if (i)
			lp_conn_finish(f->a.conn);
		else
			lp_conn_close(f->a.conn);
		f->a.conn = NULL;
		forget(&f->a);
		forget(&f->b);
	}
}

static void a_session_outlives_neither_a_reload_nor_the_connection_by_it(void **state)
{
	struct fixture *f = *state;
	struct lp_err e;

	connect_both(f);
	lp_conn_write(f->b.conn, LP_SPAN("x"));
	await(&f->a, 1);
	f->session = lp_conn_session(f->a.conn);
	assert_int_equal(lp_tls_server_reload(f->server_tls, &e), LP_OK);
	lp_conn_write(f->b.conn, LP_SPAN("y"));		/* the old connection goes on */
	await(&f->a, 2);
	forget(&f->a);
	forget(&f->b);
	connect_both(f);				/* an old ticket is no obstacle */
	assert_false(SSL_session_reused(f->a.conn->ssl));
}

static void who_offers_only_http_1_1_gets_it(void **state)
{
	struct fixture *f = *state;
	struct lp_conn_dial dial = { .addr = (const struct sockaddr *)&f->addr, .addr_len = sizeof(f->addr),
				     .tls = f->client_tls, .h1_only = true, .server_name = LP_SPAN("127.0.0.1") };

	f->a.conn = lp_conn_dial(f->r.loop, &dial, &user, &f->a);
	accept_it(f);
	real_loop_run_until(&f->r, &f->a.opened);
	assert_int_equal(lp_conn_alpn(f->a.conn), LP_ALPN_H1);
	assert_null(SSL_get_servername(f->a.conn->ssl, TLSEXT_NAMETYPE_host_name));	/* no literal in SNI */
}

/* With read_ahead they come out of the same read; nothing would tell of them later. */
static void bytes_that_come_with_the_end_of_the_handshake_are_read(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20; i++) {
		dial(f);
		lp_conn_write(f->a.conn, LP_SPAN("request"));
		accept_it(f);
		got_is(&f->b, "request");
		forget(&f->a);
		forget(&f->b);
	}
}

/* And when the reader pauses right there they stay inside OpenSSL, where epoll does not see them. */
static void bytes_held_by_openssl_are_read_when_the_pause_ends(void **state)
{
	struct fixture *f = *state;

	dial(f);
	lp_conn_write(f->a.conn, LP_SPAN("request"));
	f->b.pause_at_open = true;
	accept_it(f);
	real_loop_run_until(&f->r, &f->b.opened);
	settle(&f->r);
	assert_int_equal(f->b.n_got, 0);
	assert_true(SSL_has_pending(f->b.conn->ssl));
	lp_conn_pause(f->b.conn, false);
	assert_int_equal(f->b.n_got, 0);	/* not inside the call */
	got_is(&f->b, "request");
}

static void plain_bytes_to_a_tls_port_end_the_handshake(void **state)
{
	struct fixture *f = *state;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	connect(fd, (const struct sockaddr *)&f->addr, sizeof(f->addr));
	accept_it(f);
	assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	real_loop_run_until(&f->r, &f->b.ended);
	assert_int_equal(f->b.why, LP_RESET);
	assert_string_equal(f->b.words, "http request");
	assert_false(f->b.opened);
	settle(&f->r);
	assert_int_equal(f->b.ends, 1);
	close(fd);
}

static void a_peer_that_leaves_during_the_handshake_is_told_once(void **state)
{
	struct fixture *f = *state;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	connect(fd, (const struct sockaddr *)&f->addr, sizeof(f->addr));
	accept_it(f);
	close(fd);
	real_loop_run_until(&f->r, &f->b.ended);
	assert_int_equal(f->b.why, LP_RESET);
	settle(&f->r);
	assert_int_equal(f->b.ends, 1);
}

int main(void)
{
#define P(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define T(name) { #name " (TLS)", name, set_up_tls, tear_down, NULL }
#define BOTH(name) P(name), T(name)
	const struct CMUnitTest tests[] = {
		BOTH(bytes_go_both_ways),
		BOTH(what_is_written_before_it_is_open_goes_out_then),
		BOTH(big_bytes_pass_with_back_pressure),
		BOTH(the_order_of_small_and_big_pieces_is_kept),
		BOTH(a_paused_reader_that_resumes_gets_what_came_meanwhile),
		BOTH(the_peers_end_is_told_once_and_we_may_still_write),
		BOTH(a_finished_conn_says_all_it_had_to_say),
		BOTH(a_finished_conn_reads_away_what_the_peer_still_sends),
		BOTH(a_finished_conn_does_not_wait_for_ever),
		BOTH(a_loop_may_close_while_a_conn_finishes),
		BOTH(a_conn_can_be_closed_inside_its_callback),
		BOTH(what_came_before_a_failed_write_can_be_read),
		BOTH(a_reset_is_told_as_one),
		BOTH(a_short_pause_does_not_touch_the_poll),
		BOTH(an_idle_conn_holds_no_buffer),
		BOTH(a_refused_connection_is_told_with_its_reason),
		BOTH(a_connection_without_descriptors_is_told_and_not_thrown),
		P(a_unix_socket_is_dialled_by_path),
		T(tls_that_is_cut_is_no_orderly_end),
		T(a_client_resumes_its_session),
		T(a_session_outlives_neither_a_reload_nor_the_connection_by_it),
		T(who_offers_only_http_1_1_gets_it),
		T(bytes_that_come_with_the_end_of_the_handshake_are_read),
		T(bytes_held_by_openssl_are_read_when_the_pause_ends),
		T(plain_bytes_to_a_tls_port_end_the_handshake),
		T(a_peer_that_leaves_during_the_handshake_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
