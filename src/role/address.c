/* role/address - see the header. */
#include "address.h"

#include <string.h>

#define PORT 8935

static enum lp_code parse(struct lp_scope *scope, struct lp_url *out, struct lp_span text, struct lp_err *e)
{
	if (lp_span_find(text, LP_SPAN("://")) >= 0 || lp_span_starts(text, "unix:"))
		return lp_url_parse(scope, out, text, e);
	if (lp_url_parse_address(scope, out, text, PORT, e) != LP_OK)
		return e->code;
	if (!out->host.len)
		return lp_fail(e, LP_CONFIG, "the address '%.*s' names no host", LP_ARG(text));
	return lp_url_parse(scope, out, lp_span(lp_fmt(scope, "https%s", out->text.at + strlen("http"))), e);
}

enum lp_code lp_peer_address(struct lp_scope *scope, struct lp_url *out, struct lp_span text, struct lp_err *e)
{
	struct lp_err why = { 0 };

	if (parse(scope, out, text, &why) == LP_OK)
		return LP_OK;
	return lp_fail(e, LP_CONFIG, "%s", lp_err_words(&why));
}
