/* URLs, addresses, percent escapes, queries and header parameters.  A URL's normal form must read as itself. */
#include <lpd/base/assert.h>
#include <lpd/io/http.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void check(struct lp_scope *scope, const struct lp_url *url)
{
	struct lp_url twice, joined;

	lp_assert(url->path.len && url->path.at[0] == '/');
	for (size_t i = 0; i < url->text.len; i++)
		lp_assert(url->text.at[i] > ' ' && url->text.at[i] < 127);
	if (url->text.len > 8000)
		return;		/* the normal form may be the longer one */
	lp_assert(lp_url_parse_address(scope, &twice, url->text, 1, NULL) == LP_OK);
	lp_assert(lp_span_eq(url->text, twice.text));
	lp_assert(lp_span_eq(url->path, twice.path));
	lp_assert(lp_span_eq(url->host, twice.host));
	lp_assert(url->port == twice.port && url->tls == twice.tls && !url->unix_path == !twice.unix_path);
	lp_url_join(scope, &joined, url, LP_SPAN("/x"));
	lp_assert(lp_span_ends(joined.path, "/x") && !lp_span_ends(joined.path, "//x"));
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_scope *scope = lp_scope_open(NULL, "fuzz");
	struct lp_span text = lp_span_of(at, len);
	struct lp_url url;
	struct lp_err e;

	if (lp_url_parse(scope, &url, text, &e) == LP_OK) {
		lp_assert(url.unix_path || (url.host.len && url.port));
		check(scope, &url);
	}
	if (lp_url_parse_address(scope, &url, text, 8935, &e) == LP_OK)
		check(scope, &url);
	struct lp_span decoded = lp_percent_decode(scope, text);
	lp_assert(decoded.len <= len);
	(void)lp_query_get(scope, text, "a");
	(void)lp_header_param(scope, text, "boundary");
	(void)lp_media_is(text, "text/plain");
	(void)lp_media_type_of(text);
	lp_scope_close(&scope);
	return 0;
}
