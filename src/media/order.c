#include "order.h"

struct number {
	const char *name;
	uint64_t min, max;
	int *to;
};

static enum lp_code set_number(const struct number *numbers, struct lp_span name, struct lp_span value,
			       struct lp_err *e)
{
	uint64_t n;

	for (const struct number *number = numbers; number->name; number++) {
		if (!lp_span_is(name, number->name))
			continue;
		if (!lp_span_u64(value, &n) || n < number->min || n > number->max)
			return lp_fail(e, LP_BAD_REQUEST, "%s must be a number from %llu to %llu", number->name,
				       (unsigned long long)number->min, (unsigned long long)number->max);
		*number->to = (int)n;
		return LP_OK;
	}
	return lp_fail(e, LP_BAD_REQUEST, "there is no parameter of this name");
}

/* All four must be there: what is left out is for the node to know. */
static enum lp_code parse_query(struct lp_order *out, struct lp_span query, struct lp_err *e)
{
	const struct number numbers[] = {
		{ "frames", 1, LP_ORDER_FRAMES_MAX, &out->frames },
		{ "fps", 1, LP_ORDER_FPS_MAX, &out->fps },
		{ "width", LP_ORDER_SIDE_MIN, LP_ORDER_SIDE_MAX, &out->width },
		{ "height", LP_ORDER_SIDE_MIN, LP_ORDER_SIDE_MAX, &out->height },
		{ 0 },
	};

	while (query.len) {
		struct lp_span value = lp_span_cut(&query, '&');
		struct lp_span name = lp_span_cut(&value, '=');

		if (set_number(numbers, name, value, e) != LP_OK)
			return e->code;
	}
	for (const struct number *number = numbers; number->name; number++)
		if (!*number->to)
			return lp_fail(e, LP_BAD_REQUEST, "%s is missing", number->name);
	return LP_OK;
}

static enum lp_code parse_target(struct lp_order *out, struct lp_span method, struct lp_span target,
				 struct lp_err *e)
{
	struct lp_span query = target, path = lp_span_cut(&query, '?');
	bool post = lp_span_is(method, "POST");

	if (lp_span_is(method, "GET") && lp_span_is(path, "/health"))
		out->kind = LP_ORDER_HEALTH;
	else if (post && lp_span_is(path, "/duration"))
		out->kind = LP_ORDER_DURATION;
	else if (post && lp_span_is(path, "/video"))
		out->kind = LP_ORDER_VIDEO;
	else
		return lp_fail(e, LP_NOT_FOUND, "lpd-media serves GET /health, POST /duration and POST /video");
	return out->kind == LP_ORDER_VIDEO ? parse_query(out, query, e) : LP_OK;
}

static struct lp_span cut_line(struct lp_span *rest)
{
	struct lp_span line = lp_span_cut(rest, '\n');

	if (lp_span_ends(line, "\r"))
		line.len--;
	return line;
}

/* The node always knows the length, so a body comes in no other form. */
static enum lp_code parse_field(struct lp_order *out, struct lp_span line, struct lp_err *e)
{
	struct lp_span value = line, name = lp_span_cut(&value, ':');
	uint64_t length;

	if (lp_span_is_icase(name, "transfer-encoding"))
		return lp_fail(e, LP_BAD_REQUEST, "the body's length must be given");
	if (!lp_span_is_icase(name, "content-length"))
		return LP_OK;
	if (out->length >= 0 || !lp_span_u64(lp_span_trim(value), &length))
		return lp_fail(e, LP_BAD_REQUEST, "the content-length is malformed");
	if (length > LP_ORDER_BODY_MAX)
		return lp_fail(e, LP_TOO_LARGE, "the body is larger than %lld bytes", (long long)LP_ORDER_BODY_MAX);
	out->length = (int64_t)length;
	return LP_OK;
}

enum lp_code lp_order_parse(struct lp_order *out, struct lp_span head, struct lp_err *e)
{
	struct lp_span line = cut_line(&head);
	struct lp_span method = lp_span_cut(&line, ' ');
	struct lp_span target = lp_span_cut(&line, ' ');

	*out = (struct lp_order){ .length = -1 };
	if (!lp_span_is(line, "HTTP/1.1"))
		return lp_fail(e, LP_BAD_REQUEST, "this is no request of HTTP/1.1");
	if (parse_target(out, method, target, e) != LP_OK)
		return e->code;
	while (head.len)
		if (parse_field(out, cut_line(&head), e) != LP_OK)
			return e->code;
	if (out->length < 0)
		out->length = 0;
	if (!out->length && out->kind != LP_ORDER_HEALTH)
		return lp_fail(e, LP_BAD_REQUEST, "the body is empty");
	return LP_OK;
}
