#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lpd/io/fetch.h>
#include <lpd/io/server.h>

#include "real_loop.h"
#include "temp_dir.h"

struct fixture {
	struct real_loop r;
	struct temp_dir dir;
	struct lp_server *server, *tls_server;
	struct lp_fetcher *fetcher;
	struct lp_err e;
	int handled;
};

/* ---- a server whose paths say what it does ---- */

struct asked {
	struct fixture *f;
	struct lp_exchange *ex;
	struct lp_buf body;
	bool answered;
};

static void clear_asked(void *arg)
{
	struct asked *asked = arg;

	lp_buf_clear(&asked->body);
}

static void on_echo(void *self)
{
	struct asked *asked = self;
	struct lp_exchange *ex = asked->ex;
	struct lp_span bytes = lp_exchange_read(ex);

	if (asked->answered || lp_exchange_gone(ex))
		return;
	lp_buf_add_span(&asked->body, bytes);
	lp_exchange_consume(ex, bytes.len);
	if (lp_exchange_body(ex) == LP_BODY_MORE)
		return;
	asked->answered = true;
	struct lp_buf said = { .len = 0 };
	struct lp_span type = lp_exchange_header(ex, "content-type");
	lp_buf_fmt(&said, "%.*s %.*s?%.*s type=%.*s x=%.*s agent=%.*s expect=%d:", LP_ARG(lp_exchange_method(ex)),
		   LP_ARG(lp_exchange_path(ex)), LP_ARG(lp_exchange_query(ex)), LP_ARG(type),
		   LP_ARG(lp_exchange_header(ex, "x")), LP_ARG(lp_exchange_header(ex, "user-agent")),
		   lp_exchange_header(ex, "expect").at != NULL);
	lp_buf_add_span(&said, lp_buf_span(&asked->body));
	lp_reply(ex, 200, "text/plain", lp_buf_span(&said));
	lp_buf_clear(&said);
}

static void echo(struct fixture *f, struct lp_exchange *ex)
{
	struct asked *asked = lp_new(lp_exchange_scope(ex), struct asked);

	asked->f = f;
	asked->ex = ex;
	lp_defer(lp_exchange_scope(ex), clear_asked, asked);
	lp_exchange_watch(ex, on_echo, asked);
	on_echo(asked);
}

static void handle(void *self, struct lp_exchange *ex)
{
	static const char bytes[5000];
	static const struct lp_header to_hello = { LP_SPAN("location"), LP_SPAN("/hello"), false };
	static const struct lp_header to_round = { LP_SPAN("location"), LP_SPAN("/round"), false };
	struct fixture *f = self;
	struct lp_span path = lp_exchange_path(ex);

	f->handled++;
	if (lp_span_is(path, "/hello")) {
		lp_reply(ex, 200, "text/plain", LP_SPAN("hello"));
	} else if (lp_span_is(path, "/missing")) {
		lp_reply(ex, 404, "text/plain", LP_SPAN("not here"));
	} else if (lp_span_is(path, "/big")) {
		lp_reply(ex, 200, "text/plain", lp_span_of(bytes, sizeof(bytes)));
	} else if (lp_span_is(path, "/big-unknown")) {
		lp_reply_head(ex, 200, -1, NULL, 0);
		lp_reply_write(ex, lp_span_of(bytes, sizeof(bytes)));
		lp_reply_end(ex);
	} else if (lp_span_is(path, "/moved") || lp_span_is(path, "/round")) {
		lp_reply_head(ex, 302, 0, lp_span_is(path, "/moved") ? &to_hello : &to_round, 1);
		lp_reply_end(ex);
	} else if (lp_span_is(path, "/cut")) {
		lp_reply_head(ex, 200, 100, NULL, 0);
		lp_reply_write(ex, LP_SPAN("only this"));
		lp_reply_abort(ex, LP_INTERNAL);
	} else if (!lp_span_is(path, "/never")) {
		echo(f, ex);
	}
}

static int setup(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	setenv("no_proxy", "*", 1);
	real_loop_open(&f.r);
	temp_dir_make(&f.dir);
	struct lp_server_want want = { .handle = handle, .self = &f };
	want.address.host = LP_SPAN("127.0.0.1");
	assert_int_equal(lp_server_open(f.r.scope, &f.server, f.r.loop, &want, &f.e), LP_OK);
	f.fetcher = lp_fetcher_open(f.r.scope, f.r.loop);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	real_loop_close(&f->r);
	temp_dir_remove(&f->dir);
	return 0;
}

/* ---- asking it ---- */

struct got {
	struct lp_fetch *fetch;
	bool done;
	int status;
	struct lp_span body;
	struct lp_err e;
	enum lp_code code;
};

static void on_done(void *self)
{
	struct got *got = self;

	assert_false(got->done);
	got->done = true;
	got->e = (struct lp_err){ LP_OK, "" };
	got->code = lp_fetch_result(got->fetch, &got->status, &got->body, &got->e);
	assert_int_equal(got->e.code, got->code);
}

static struct lp_fetch_want want_of(struct fixture *f, const char *method, const char *path)
{
	const char *url = lp_fmt(f->r.scope, "http://127.0.0.1:%u%s", lp_server_port(f->server), path);

	return (struct lp_fetch_want){ .method = method, .url = lp_span(url), .limit = 4096,
				       .total_time = 5 * LP_SEC };
}

static void ask(struct fixture *f, struct got *got, const struct lp_fetch_want *want)
{
	*got = (struct got){ .done = false };
	got->fetch = lp_fetch_start(f->r.scope, f->fetcher, want, on_done, got);
	assert_false(got->done);
	real_loop_run_until(&f->r, &got->done);
}

static void get(struct fixture *f, struct got *got, const char *path)
{
	struct lp_fetch_want want = want_of(f, "GET", path);

	ask(f, got, &want);
}

static void an_answer_comes_whole(void **state)
{
	struct fixture *f = *state;
	struct got got;

	get(f, &got, "/hello");
	assert_int_equal(got.code, LP_OK);
	assert_int_equal(got.status, 200);
	assert_true(lp_span_is(got.body, "hello"));
	get(f, &got, "/missing");
	assert_int_equal(got.code, LP_OK);
	assert_int_equal(got.status, 404);
	assert_true(lp_span_is(got.body, "not here"));
}

static void a_request_is_sent_as_it_was_asked_for(void **state)
{
	struct fixture *f = *state;
	struct got got;
	const struct lp_header headers[] = {
		{ LP_SPAN("content-type"), LP_SPAN("application/json"), false },
		{ LP_SPAN("x"), LP_SPAN("y z"), false },
	};
	struct lp_fetch_want want = want_of(f, "POST", "/a?b=c");

	want.body = LP_SPAN("{\"id\":1}");
	want.headers = headers;
	want.n_headers = 2;
	ask(f, &got, &want);
	assert_int_equal(got.code, LP_OK);
	assert_true(lp_span_is(got.body, "POST /a?b=c type=application/json x=y z agent=lpd/" LPD_VERSION
					 " expect=0:{\"id\":1}"));
	want = want_of(f, "PUT", "/p");
	want.body = LP_SPAN("b");
	ask(f, &got, &want);
	assert_true(lp_span_starts(got.body, "PUT /p? type= x= "));
	want = want_of(f, "DELETE", "/d");
	ask(f, &got, &want);
	assert_true(lp_span_starts(got.body, "DELETE /d? type= "));
	want = want_of(f, "HEAD", "/hello");
	ask(f, &got, &want);
	assert_int_equal(got.status, 200);
	assert_int_equal(got.body.len, 0);
}

static void a_large_body_goes_without_a_pause(void **state)
{
	struct fixture *f = *state;
	struct lp_fetch_want want = want_of(f, "POST", "/a");
	char *body = calloc(1, 300000);
	struct got got;

	memset(body, 'b', 300000);
	want.body = lp_span_of(body, 300000);
	want.limit = 400000;
	int64_t begun = lp_mono(f->r.loop);
	ask(f, &got, &want);
	free(body);
	assert_int_equal(got.code, LP_OK);
	assert_true(got.body.len > 300000);
	assert_true(lp_mono(f->r.loop) - begun < 900 * LP_MSEC);	/* curl's "Expect" would wait a second */
}

static void an_answer_over_the_limit_fails(void **state)
{
	struct fixture *f = *state;
	struct got got;

	get(f, &got, "/big");
	assert_int_equal(got.code, LP_TOO_LARGE);
	assert_string_equal(got.e.words, "the answer is larger than 4096 bytes");
	get(f, &got, "/big-unknown");
	assert_int_equal(got.code, LP_TOO_LARGE);
	struct lp_fetch_want want = want_of(f, "GET", "/big-unknown");
	want.limit = 5000;
	ask(f, &got, &want);
	assert_int_equal(got.code, LP_OK);
	assert_int_equal(got.body.len, 5000);
}

static void a_get_follows_redirects_and_a_post_does_not(void **state)
{
	struct fixture *f = *state;
	struct got got;

	get(f, &got, "/moved");
	assert_int_equal(got.status, 200);
	assert_true(lp_span_is(got.body, "hello"));
	struct lp_fetch_want want = want_of(f, "POST", "/moved");
	ask(f, &got, &want);
	assert_int_equal(got.status, 302);
	f->handled = 0;
	get(f, &got, "/round");
	assert_int_equal(got.code, LP_BAD_PEER);
	assert_int_equal(f->handled, 6);
}

static void what_goes_wrong_has_its_code(void **state)
{
	struct fixture *f = *state;
	struct got got;
	struct lp_fetch_want want = want_of(f, "GET", "/never");

	want.total_time = 100 * LP_MSEC;
	int64_t begun = lp_mono(f->r.loop);
	ask(f, &got, &want);
	assert_int_equal(got.code, LP_TIMEOUT);
	assert_true(lp_mono(f->r.loop) - begun >= 100 * LP_MSEC && lp_mono(f->r.loop) - begun < 2 * LP_SEC);

	get(f, &got, "/cut");
	assert_int_equal(got.code, LP_RESET);

	int fd = socket(AF_INET, SOCK_STREAM, 0);	/* bound, and nobody listens */
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	want.url = lp_span(lp_fmt(f->r.scope, "http://127.0.0.1:%u/", ntohs(at.sin_port)));
	ask(f, &got, &want);
	close(fd);
	assert_int_equal(got.code, LP_CONNECT);

	want.url = LP_SPAN("ftp://127.0.0.1/");
	ask(f, &got, &want);
	assert_int_equal(got.code, LP_BAD_REQUEST);
	want.url = LP_SPAN("http://");
	ask(f, &got, &want);
	assert_int_equal(got.code, LP_BAD_REQUEST);
	want = want_of(f, "GET", "/hello\r\nX: y");
	ask(f, &got, &want);
	assert_int_equal(got.code, LP_BAD_REQUEST);
	const struct lp_header split = { LP_SPAN("x"), LP_SPAN("a\nb: c"), false };
	want = want_of(f, "GET", "/hello");
	want.headers = &split;
	want.n_headers = 1;
	ask(f, &got, &want);
	assert_int_equal(got.code, LP_BAD_REQUEST);
}

static void many_at_once_all_end(void **state)
{
	enum { N = 60 };
	struct fixture *f = *state;
	struct got gots[N];

	memset(gots, 0, sizeof(gots));
	for (int i = 0; i < N; i++) {
		struct lp_fetch_want want = want_of(f, "GET", "/hello");
		gots[i].fetch = lp_fetch_start(f->r.scope, f->fetcher, &want, on_done, &gots[i]);
	}
	for (int i = 0; i < N; i++) {
		real_loop_run_until(&f->r, &gots[i].done);
		assert_int_equal(gots[i].status, 200);
	}
}

static void closing_the_scope_cancels(void **state)
{
	struct fixture *f = *state;

	for (int64_t wait = 0; wait < 4 * LP_MSEC; wait += 500) {
		struct lp_scope *scope = lp_scope_open(f->r.scope, "fetch");
		struct got got = { .done = false };
		struct lp_fetch_want want = want_of(f, "GET", "/never");

		got.fetch = lp_fetch_start(scope, f->fetcher, &want, on_done, &got);
		real_loop_run_for(&f->r, wait);
		lp_scope_close(&scope);
		real_loop_run_for(&f->r, LP_MSEC);
		assert_false(got.done);
	}
}

static struct lp_scope *closes;

static void close_on_done(void *self)
{
	on_done(self);
	lp_scope_close(&closes);
}

static void the_scope_may_close_in_on_done(void **state)
{
	struct fixture *f = *state;
	struct got got = { .done = false };
	struct lp_fetch_want want = want_of(f, "GET", "/hello");

	closes = lp_scope_open(f->r.scope, "fetch");
	got.fetch = lp_fetch_start(closes, f->fetcher, &want, close_on_done, &got);
	real_loop_run_until(&f->r, &got.done);
	assert_null(closes);
}

static void a_fetcher_may_close_before_its_fetches(void **state)
{
	struct fixture *f = *state;
	struct lp_scope *scope = lp_scope_open(f->r.scope, "fetcher");
	struct got got = { .done = false };
	struct lp_fetch_want want = want_of(f, "GET", "/never");

	f->fetcher = lp_fetcher_open(scope, f->r.loop);
	got.fetch = lp_fetch_start(f->r.scope, f->fetcher, &want, on_done, &got);
	real_loop_run_for(&f->r, 5 * LP_MSEC);
	lp_scope_close(&scope);
	real_loop_run_for(&f->r, 5 * LP_MSEC);
	assert_false(got.done);
}

static void certificates_are_checked(void **state)
{
	struct fixture *f = *state;
	struct lp_tls_server *tls;
	struct got got;
	const char *cert = lp_strdup(f->r.scope, lp_span(temp_dir_file(&f->dir, "cert.pem")));

	assert_int_equal(lp_tls_server_open(f->r.scope, &tls, cert, temp_dir_file(&f->dir, "key.pem"),
					    LP_SPAN("127.0.0.1"), &f->e),
			 LP_OK);
	struct lp_server_want server = { .handle = handle, .self = f, .tls = tls };
	server.address.host = LP_SPAN("127.0.0.1");
	assert_int_equal(lp_server_open(f->r.scope, &f->tls_server, f->r.loop, &server, &f->e), LP_OK);
	struct lp_fetch_want want = want_of(f, "GET", "");
	want.url = lp_span(lp_fmt(f->r.scope, "https://127.0.0.1:%u/hello", lp_server_port(f->tls_server)));
	ask(f, &got, &want);
	assert_int_equal(got.code, LP_CONNECT);
	assert_non_null(strstr(got.e.words, "certificate"));
	assert_int_equal(f->handled, 0);

	lp_fetcher_trust(f->fetcher, cert);
	ask(f, &got, &want);
	if (got.code != LP_OK)
		fail_msg("%s", got.e.words);
	assert_true(lp_span_is(got.body, "hello"));
	want.url = lp_span(lp_fmt(f->r.scope, "https://localhost:%u/hello", lp_server_port(f->tls_server)));
	ask(f, &got, &want);
	assert_int_equal(got.code, LP_CONNECT);		/* not the name in the certificate */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_comes_whole),
		TEST(a_request_is_sent_as_it_was_asked_for),
		TEST(a_large_body_goes_without_a_pause),
		TEST(an_answer_over_the_limit_fails),
		TEST(a_get_follows_redirects_and_a_post_does_not),
		TEST(what_goes_wrong_has_its_code),
		TEST(many_at_once_all_end),
		TEST(closing_the_scope_cancels),
		TEST(the_scope_may_close_in_on_done),
		TEST(a_fetcher_may_close_before_its_fetches),
		TEST(certificates_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
