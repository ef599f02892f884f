#include <lpd/market/answer.h>

#include <lpd/base/jsonscan.h>

uint64_t lp_answer_tokens(struct lp_span json)
{
	uint64_t tokens = 0;

	(void)lp_jscan_u64(lp_jscan_get(lp_jscan_get(lp_jscan(json), "usage"), "total_tokens"),
			   &tokens);
	return tokens;
}

bool lp_answer_is_last(struct lp_span event)
{
	struct lp_jval choice;
	size_t at = 0;

	/* A runner's failure in the middle is an event without choices: not the last, but
	 * no choice either. */
	if (!lp_jscan_each(lp_jscan_get(lp_jscan(event), "choices"), &at, &choice))
		return false;
	struct lp_jval reason = lp_jscan_get(choice, "finish_reason");

	return reason.kind == LP_J_STRING && reason.raw.len > 2;
}

static void copy(struct lp_buf *to, struct lp_jval value);

static void copy_object(struct lp_buf *to, struct lp_jval object)
{
	struct lp_jval value;
	struct lp_span key;
	size_t at = 0;
	bool first = true;

	lp_buf_add_char(to, '{');
	while (lp_jscan_each_member(object, &at, &key, &value)) {
		if (value.kind == LP_J_NULL)
			continue;
		lp_buf_add_text(to, first ? "\"" : ",\"");
		lp_buf_add_span(to, key);
		lp_buf_add_text(to, "\":");
		copy(to, value);
		first = false;
	}
	lp_buf_add_char(to, '}');
}

static void copy_array(struct lp_buf *to, struct lp_jval array)
{
	struct lp_jval value;
	size_t at = 0;

	lp_buf_add_char(to, '[');
	for (bool first = true; lp_jscan_each(array, &at, &value); first = false) {
		if (!first)
			lp_buf_add_char(to, ',');
		copy(to, value);
	}
	lp_buf_add_char(to, ']');
}

/* Recursion is bounded by the scanner, which refuses what is nested deeper than 32. */
static void copy(struct lp_buf *to, struct lp_jval value)
{
	if (value.kind == LP_J_OBJECT)
		copy_object(to, value);
	else if (value.kind == LP_J_ARRAY)
		copy_array(to, value);
	else
		lp_buf_add_span(to, value.raw);
}

bool lp_answer_drop_nulls(struct lp_buf *to, struct lp_span json)
{
	struct lp_jval value = lp_jscan(json);

	if (value.kind == LP_J_BAD)
		return false;
	copy(to, value);
	return true;
}
