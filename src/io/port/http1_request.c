#include "http1_request.h"

#include "http_head.h"

static enum lp_code bad(const char **words, const char *what)
{
	*words = what;
	return LP_BAD_REQUEST;
}

/* RFC 9112 3.2: exactly one on 1.1, whatever it says; several are never right. */
static enum lp_code check_host(const struct lp_http1_request *request, const char **words)
{
	struct lp_span host = { 0 };
	int n = lp_http1_count(request->headers, "host", &host);

	if (n > 1)
		return bad(words, "several Host fields");
	if (n == 0 && request->minor > 0)
		return bad(words, "no Host field");
	if (!lp_http_is_authority(host))
		return bad(words, "a Host field that is no host");
	return LP_OK;
}

/* RFC 9112 3.2.2: of an absolute target the authority stands for Host, and the rest is the path. */
static enum lp_code split_absolute(struct lp_http1_request *request, const char **words)
{
	struct lp_span rest = request->target;

	if (lp_span_find_icase(rest, "http://") == 0)
		rest = lp_span_skip(rest, 7);
	else if (lp_span_find_icase(rest, "https://") == 0)
		rest = lp_span_skip(rest, 8);
	else
		return bad(words, "a target that is neither a path nor a URL");
	size_t len = 0;

	while (len < rest.len && rest.at[len] != '/' && rest.at[len] != '?')
		len++;
	struct lp_span host = { rest.at, len };

	if (!len || !lp_http_is_authority(host))
		return bad(words, "a target without a host");
	rest = lp_span_skip(rest, len);
	request->target = rest.len && rest.at[0] == '/' ? rest : LP_SPAN("/");
	if (rest.len && rest.at[0] == '?')
		return bad(words, "a target without a path");
	for (int i = 0; i < request->headers.n; i++) {
		if (lp_span_is(request->fields[i].name, "host"))
			request->fields[i].value = host;
	}
	return LP_OK;
}

static enum lp_code check_expect(struct lp_http1_request *request, const char **words)
{
	struct lp_span expect = { 0 };

	if (!lp_http1_count(request->headers, "expect", &expect))
		return LP_OK;
	if (!lp_span_is_icase(expect, "100-continue")) {
		*words = "only 100-continue can be expected";
		return LP_EXPECTATION;
	}
	request->expects = request->minor > 0;	/* RFC 9110 10.1.1: not of a 1.0 client */
	return LP_OK;
}

static enum lp_code check_values(const struct lp_http1_request *request, const char **words)
{
	for (int i = 0; i < request->headers.n; i++) {
		if (!lp_http_is_token(request->headers.at[i].name) || !lp_http_is_value(request->headers.at[i].value))
			return bad(words, "a header field with a character that cannot be");
	}
	return LP_OK;
}

enum lp_code lp_http1_request_check(struct lp_http1_request *request, const char **words)
{
	if (request->major != 1) {
		*words = "only HTTP/1.0 and HTTP/1.1 are spoken here";
		return request->major == 0 ? LP_BAD_REQUEST : LP_VERSION;
	}
	const char *framing = lp_http1_bad_framing(request->headers, request->minor == 0);

	if (framing)
		return bad(words, framing);
	if (request->connect)
		return bad(words, "this is no proxy");
	enum lp_code code = check_values(request, words);

	if (code == LP_OK)
		code = check_host(request, words);
	if (code == LP_OK && request->target.len && request->target.at[0] != '/' && !lp_span_is(request->target, "*"))
		code = split_absolute(request, words);
	if (code == LP_OK && !lp_http_is_target(request->target))
		code = bad(words, "a target that is no path");
	if (code == LP_OK)
		code = check_expect(request, words);
	if (request->minor > 0)
		request->keep = !lp_http1_has_word(request->headers, "connection", "close");
	else
		request->keep = lp_http1_has_word(request->headers, "connection", "keep-alive");
	return code;
}
