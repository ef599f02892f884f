/* libcurl's multi interface on the loop.  curl tells which descriptors to watch and when to be called again;
 * its callbacks only take notes, so it is never called from inside itself. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/buf.h>
#include <lpd/base/mem.h>
#include <lpd/io/fetch.h>
#include <lpd/io/timer.h>

#include "curl_api.h"
#include "loop_priv.h"

#define CONNECT_TIME (10 * LP_SEC)
#define TOTAL_TIME (30 * LP_SEC)
#define TOTAL_TIME_MAX (10 * LP_MIN)
#define REDIRECTS 5
#define KEPT 16			/* idle connections; the default of curl forgets them after a burst */
#define PER_HOST 8

struct lp_fetcher {
	struct lp_loop *loop;
	struct lp_curl_api curl;
	CURLM *multi;		/* NULL: there is no libcurl, and every fetch fails */
	struct lp_timer timer;
	struct lp_list fetches;
	struct lp_list watches;
	const char *ca_file;	/* NULL: the system's */
};

/* A descriptor of curl's; on the heap until libuv lets go. */
struct watch {
	uv_poll_t poll;
	struct lp_fetcher *fetcher;
	curl_socket_t fd;
	struct lp_link link;
};

struct lp_fetch {
	struct lp_fetcher *fetcher;	/* NULL: it closed first */
	struct lp_link link;
	CURL *easy;			/* NULL: not begun, or done */
	struct curl_slist *headers;
	struct lp_span sent;		/* our copy of the request's body */
	size_t limit;
	bool too_large, done;
	struct lp_buf body;
	int status;
	struct lp_err err;
	char words[CURL_ERROR_SIZE];
	struct lp_ready ready;
	void (*on_done)(void *self);
	void *self;
};

/* ---- the end of a fetch ---- */

static enum lp_code code_of(const struct lp_fetch *fetch, CURLcode result)
{
	if (fetch->too_large || result == CURLE_FILESIZE_EXCEEDED)
		return LP_TOO_LARGE;
	switch ((int)result) {		/* an enum of curl's with a hundred values */
	case CURLE_OK:
		return LP_OK;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return LP_BAD_REQUEST;
	case CURLE_OPERATION_TIMEDOUT:
		return LP_TIMEOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return LP_CONNECT;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return LP_RESET;
	}
	return LP_BAD_PEER;
}

static void let_go(struct lp_fetch *fetch)
{
	if (!fetch->fetcher)
		return;
	const struct lp_curl_api *curl = &fetch->fetcher->curl;
	if (fetch->easy) {
		curl->multi_remove_handle(fetch->fetcher->multi, fetch->easy);
		curl->easy_cleanup(fetch->easy);
	}
	fetch->easy = NULL;
	if (fetch->headers)
		curl->slist_free_all(fetch->headers);
	fetch->headers = NULL;
	lp_link_out(&fetch->link);
}

static void finish(struct lp_fetch *fetch, CURLcode result)
{
	const struct lp_curl_api *curl = &fetch->fetcher->curl;
	long status = 0;
	enum lp_code code = code_of(fetch, result);

	curl->easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	fetch->status = (int)status;
	if (code == LP_TOO_LARGE)
		lp_fail(&fetch->err, code, "the answer is larger than %zu bytes", fetch->limit);
	else if (code != LP_OK)
		lp_fail(&fetch->err, code, "%s", *fetch->words ? fetch->words : curl->easy_strerror(result));
	fetch->done = true;
	let_go(fetch);
	lp_ready(fetch->fetcher->loop, &fetch->ready);
}

static void look_for_ended(struct lp_fetcher *fetcher)
{
	const struct lp_curl_api *curl = &fetcher->curl;
	CURLMsg *message;
	int left;

	while ((message = curl->multi_info_read(fetcher->multi, &left))) {
		char *fetch = NULL;
		CURLcode result = message->data.result;		/* gone with the handle */

		if (message->msg != CURLMSG_DONE)
			continue;
		curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
		finish((struct lp_fetch *)(void *)fetch, result);
	}
}

/* ---- what curl wants of the loop ---- */

static void on_timer(void *self)
{
	struct lp_fetcher *fetcher = self;
	int running;

	fetcher->curl.multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	look_for_ended(fetcher);
}

static int on_timeout(CURLM *multi, long ms, void *self)
{
	struct lp_fetcher *fetcher = self;

	(void)multi;
	if (ms < 0)
		lp_timer_clear(&fetcher->timer);
	else
		lp_timer_set(&fetcher->timer, fetcher->loop, ms * LP_MSEC);
	return 0;
}

static void on_poll(uv_poll_t *poll, int failed, int events)
{
	struct watch *watch = poll->data;
	struct lp_fetcher *fetcher = watch->fetcher;
	int flags = failed < 0 ? CURL_CSELECT_ERR : 0, running;

	lp_loop_woke(fetcher->loop);
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	fetcher->curl.multi_socket_action(fetcher->multi, watch->fd, flags, &running);
	look_for_ended(fetcher);
	lp_loop_served(fetcher->loop);
}

static void on_watch_closed(uv_handle_t *handle)
{
	lp_mem_free(handle->data);
}

/* Before curl closes the descriptor, which it does as soon as we return. */
static void end_watch(struct watch *watch)
{
	lp_link_out(&watch->link);
	uv_poll_stop(&watch->poll);
	uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static struct watch *begin_watch(struct lp_fetcher *fetcher, curl_socket_t fd)
{
	struct watch *watch = lp_mem_zeroed(1, sizeof(*watch));

	if (uv_poll_init_socket(lp_loop_uv(fetcher->loop), &watch->poll, fd) != 0) {
		lp_mem_free(watch);
		return NULL;		/* curl's own deadline ends the fetch */
	}
	watch->poll.data = watch;
	watch->fetcher = fetcher;
	watch->fd = fd;
	lp_list_add(&fetcher->watches, &watch->link);
	fetcher->curl.multi_assign(fetcher->multi, fd, watch);
	return watch;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *self, void *known)
{
	struct lp_fetcher *fetcher = self;
	struct watch *watch = known;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch)
			end_watch(watch);
		fetcher->curl.multi_assign(fetcher->multi, fd, NULL);
		return 0;
	}
	if (!watch && !(watch = begin_watch(fetcher, fd)))
		return 0;
	int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	uv_poll_start(&watch->poll, events, on_poll);
	return 0;
}

/* ---- the fetcher ---- */

static void close_fetcher(void *arg)
{
	struct lp_fetcher *fetcher = arg;
	const struct lp_curl_api *curl = &fetcher->curl;

	lp_list_each(&fetcher->fetches, fetch, struct lp_fetch, link) {
		let_go(fetch);
		fetch->fetcher = NULL;
	}
	/* The kept connections close in the clean-up, which no longer asks us to stop watching them. */
	lp_list_each(&fetcher->watches, watch, struct watch, link)
		end_watch(watch);
	curl->multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, NULL);
	curl->multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, NULL);
	curl->multi_cleanup(fetcher->multi);
	lp_timer_clear(&fetcher->timer);
	curl->global_cleanup();
}

struct lp_fetcher *lp_fetcher_open(struct lp_scope *scope, struct lp_loop *loop)
{
	struct lp_fetcher *fetcher = lp_new(scope, struct lp_fetcher);
	struct lp_curl_api *curl = &fetcher->curl;

	fetcher->loop = loop;
	fetcher->timer = (struct lp_timer){ .fire = on_timer, .self = fetcher };
	lp_list_init(&fetcher->fetches);
	lp_list_init(&fetcher->watches);
	if (!lp_curl_load(curl))
		return fetcher;
	curl->global_init(CURL_GLOBAL_DEFAULT);		/* counted by curl */
	fetcher->multi = curl->multi_init();
	lp_assert(fetcher->multi != NULL);
	curl->multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl->multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	curl->multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl->multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	curl->multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, (long)KEPT);
	curl->multi_setopt(fetcher->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)PER_HOST);
	lp_defer(scope, close_fetcher, fetcher);
	return fetcher;
}

void lp_fetcher_trust(struct lp_fetcher *fetcher, const char *ca_file)
{
	fetcher->ca_file = ca_file;
}

/* ---- the beginning of a fetch ---- */

static size_t on_bytes(char *at, size_t size, size_t n, void *self)
{
	struct lp_fetch *fetch = self;

	if (size * n > fetch->limit - fetch->body.len) {
		fetch->too_large = true;
		return 0;
	}
	lp_buf_add(&fetch->body, at, size * n);
	return size * n;
}

static bool is_clean(struct lp_span text)
{
	return !memchr(text.at ? text.at : "", '\r', text.len) && !memchr(text.at ? text.at : "", '\n', text.len) &&
	       !memchr(text.at ? text.at : "", '\0', text.len);
}

static void add_header(struct lp_fetch *fetch, const char *line)
{
	struct curl_slist *longer = fetch->fetcher->curl.slist_append(fetch->headers, line);

	lp_assert(longer != NULL);
	fetch->headers = longer;
}

/* curl adds some headers of its own unless they are named empty: no "Expect: 100-continue", which costs a
 * second where a server does not know it, and no form's content type on what is none. */
static bool add_headers(struct lp_fetch *fetch, struct lp_scope *scope, const struct lp_fetch_want *want)
{
	struct lp_headers headers = { want->headers, want->n_headers };

	for (int i = 0; i < want->n_headers; i++) {
		const struct lp_header *h = &want->headers[i];
		if (!h->name.len || !is_clean(h->name) || !is_clean(h->value))
			return false;
		add_header(fetch, h->value.len ? lp_fmt(scope, "%.*s: %.*s", LP_ARG(h->name), LP_ARG(h->value)) :
						 lp_fmt(scope, "%.*s;", LP_ARG(h->name)));
	}
	if (!lp_headers_find(headers, "content-type").at)
		add_header(fetch, "Content-Type:");
	add_header(fetch, "Expect:");
	return true;
}

static void set_method(struct lp_fetch *fetch, const char *method)
{
	const struct lp_curl_api *curl = &fetch->fetcher->curl;
	bool get = strcmp(method, "GET") == 0, head = strcmp(method, "HEAD") == 0;

	if (fetch->sent.len || !(get || head)) {
		curl->easy_setopt(fetch->easy, CURLOPT_POST, 1L);
		curl->easy_setopt(fetch->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->sent.len);
		curl->easy_setopt(fetch->easy, CURLOPT_POSTFIELDS, fetch->sent.at);
		curl->easy_setopt(fetch->easy, CURLOPT_CUSTOMREQUEST, method);
		return;
	}
	if (head)
		curl->easy_setopt(fetch->easy, CURLOPT_NOBODY, 1L);
	curl->easy_setopt(fetch->easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl->easy_setopt(fetch->easy, CURLOPT_MAXREDIRS, (long)REDIRECTS);
}

static void set_times(struct lp_fetch *fetch, int64_t total)
{
	if (total <= 0)
		total = TOTAL_TIME;
	if (total > TOTAL_TIME_MAX)
		total = TOTAL_TIME_MAX;
	const struct lp_curl_api *curl = &fetch->fetcher->curl;
	int64_t connect = total < CONNECT_TIME ? total : CONNECT_TIME;
	curl->easy_setopt(fetch->easy, CURLOPT_TIMEOUT_MS, (long)(total / LP_MSEC) + 1);
	curl->easy_setopt(fetch->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect / LP_MSEC) + 1);
}

static void set_rest(struct lp_fetch *fetch, const char *url)
{
	const struct lp_curl_api *curl = &fetch->fetcher->curl;
	CURL *easy = fetch->easy;

	curl->easy_setopt(easy, CURLOPT_URL, url);
	curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	/* 7.88 loses early refusals on h2, and nothing here needs it. */
	curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* With a CA path set, as Debian's build has it, the parsed bundle is not kept: 25 ms a connection. */
	curl->easy_setopt(easy, CURLOPT_CAPATH, NULL);
	if (fetch->fetcher->ca_file)
		curl->easy_setopt(easy, CURLOPT_CAINFO, fetch->fetcher->ca_file);
	/* A look-up that hangs in its thread must not hang us when the fetch is given up. */
	curl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl->easy_setopt(easy, CURLOPT_USERAGENT, "lpd/" LPD_VERSION);
	curl->easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers);
	curl->easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)fetch->limit);
	curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl->easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
	curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->words);
	curl->easy_setopt(easy, CURLOPT_PRIVATE, fetch);
}

static void refuse(struct lp_fetch *fetch, enum lp_code code, const char *words)
{
	lp_fail(&fetch->err, code, "%s", words);
	fetch->done = true;
	lp_ready(fetch->fetcher->loop, &fetch->ready);
}

static void begin(struct lp_fetch *fetch, struct lp_scope *scope, const struct lp_fetch_want *want)
{
	if (!fetch->fetcher->multi) {
		refuse(fetch, LP_CONFIG, "libcurl 4 is not installed, which fetching needs");
		return;
	}
	if (!is_clean(want->url) || !is_clean(lp_span(want->method)) || !add_headers(fetch, scope, want)) {
		refuse(fetch, LP_BAD_REQUEST, "the address or a header has a line end in it");
		return;
	}
	fetch->easy = fetch->fetcher->curl.easy_init();
	lp_assert(fetch->easy != NULL);
	set_rest(fetch, lp_strdup(scope, want->url));
	set_times(fetch, want->total_time);
	set_method(fetch, want->method);
	lp_list_add(&fetch->fetcher->fetches, &fetch->link);
	CURLMcode failed = fetch->fetcher->curl.multi_add_handle(fetch->fetcher->multi, fetch->easy);
	lp_assert(failed == CURLM_OK);
}

static void close_fetch(void *arg)
{
	struct lp_fetch *fetch = arg;

	lp_unready(&fetch->ready);
	let_go(fetch);
	lp_buf_clear(&fetch->body);
}

static void tell(void *self)
{
	struct lp_fetch *fetch = self;

	fetch->on_done(fetch->self);
}

struct lp_fetch *lp_fetch_start(struct lp_scope *scope, struct lp_fetcher *fetcher, const struct lp_fetch_want *want,
				void (*on_done)(void *self), void *self)
{
	struct lp_fetch *fetch = lp_new(scope, struct lp_fetch);

	fetch->fetcher = fetcher;
	fetch->limit = want->limit;
	fetch->sent = lp_span_dup(scope, want->body);
	fetch->ready = (struct lp_ready){ .run = tell, .self = fetch };
	fetch->on_done = on_done;
	fetch->self = self;
	lp_defer(scope, close_fetch, fetch);
	begin(fetch, scope, want);
	return fetch;
}

enum lp_code lp_fetch_result(const struct lp_fetch *fetch, int *status, struct lp_span *body, struct lp_err *e)
{
	lp_assert(fetch->done);
	*status = fetch->status;
	*body = lp_buf_span(&fetch->body);
	if (fetch->err.code != LP_OK)
		return lp_fail(e, fetch->err.code, "%s", fetch->err.words);
	return LP_OK;
}
