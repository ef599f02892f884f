/* market/trace_context - see the header. */
#include <lpd/market/trace_context.h>

#include <stdio.h>
#include <string.h>

#include <lpd/base/buf.h>
#include <lpd/base/hex.h>

#define MEMBERS 32	/* of a tracestate */
#define KEY_MAX 256
#define VALUE_MAX 256

/* ---- traceparent: 00-<32 digits>-<16 digits>-<2 digits> ---- */

/* Lower-case only; a whole field of zeros names nothing, unless it may. */
static bool is_field(struct lp_span text, size_t len, bool zeros)
{
	bool all_zero = true;

	if (text.len != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text.at[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		all_zero = all_zero && c == '0';
	}
	return zeros || !all_zero;
}

/* A later version may say more behind a further dash; what we know of stands where it stood. */
static bool read_parent(struct lp_trace_context *out, struct lp_span text)
{
	struct lp_span rest = text;
	struct lp_span version = lp_span_cut(&rest, '-'), trace = lp_span_cut(&rest, '-');
	struct lp_span parent = lp_span_cut(&rest, '-'), flags = lp_span_cut(&rest, '-');
	uint8_t bits;

	if (!is_field(version, 2, true) || lp_span_is(version, "ff") || !is_field(trace, 32, false) ||
	    !is_field(parent, 16, false) || !is_field(flags, 2, true) || !lp_hex_read(&bits, 1, flags))
		return false;
	if (lp_span_is(version, "00") && text.len != LP_TRACE_PARENT)
		return false;
	lp_span_copy(out->trace, sizeof(out->trace), trace);
	lp_span_copy(out->parent, sizeof(out->parent), parent);
	out->sampled = bits & 1;	/* the other bits are not ours to pass on */
	return true;
}

/* ---- tracestate: key=value, ... of whatever systems take part ---- */

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' || c == '/' ||
	       c == '@';
}

static bool is_key(struct lp_span key)
{
	if (!key.len || key.len > KEY_MAX || !((key.at[0] >= 'a' && key.at[0] <= 'z') ||
					       (key.at[0] >= '0' && key.at[0] <= '9')))
		return false;
	for (size_t i = 0; i < key.len; i++)
		if (!is_key_char(key.at[i]))
			return false;
	return true;
}

static bool is_value(struct lp_span value)
{
	if (!value.len || value.len > VALUE_MAX)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.at[i] < ' ' || value.at[i] > '~' || value.at[i] == '=')
			return false;
	return value.at[value.len - 1] != ' ';
}

/* Whole members from the front, as many as have room: the latest writer stands first.  One that is malformed spoils
 * all, since nobody knows what else is. */
static bool read_state(struct lp_buf *to, struct lp_span text)
{
	bool full = false;
	int n = 0;

	while (text.len) {
		struct lp_span member = lp_span_trim(lp_span_cut(&text, ',')), value = member, key;

		if (!member.len)
			continue;
		key = lp_span_cut(&value, '=');
		if (!is_key(key) || !is_value(value) || ++n > MEMBERS)
			return false;
		full = full || to->len + member.len + 1 > LP_TRACE_STATE;
		if (full)
			continue;
		if (to->len)
			lp_buf_add_char(to, ',');
		lp_buf_add_span(to, member);
	}
	return true;
}

/* ---- both ---- */

static void draw(char *to, size_t words, struct lp_dice *dice)
{
	uint64_t id[2] = { 0, 0 };

	while (!id[0])
		id[0] = lp_dice_next(dice);
	if (words == 2)
		id[1] = lp_dice_next(dice);
	lp_hex_write(to, id, words * sizeof(*id));
}

void lp_trace_context_begin(struct lp_scope *scope, struct lp_trace_context *out, struct lp_span traceparent,
			    struct lp_span tracestate, struct lp_dice *dice)
{
	struct lp_buf state = { 0 };

	memset(out, 0, sizeof(*out));
	draw(out->span, 1, dice);
	if (!read_parent(out, lp_span_trim(traceparent))) {
		draw(out->trace, 2, dice);
		return;
	}
	if (read_state(&state, tracestate))
		out->state = lp_span_dup(scope, lp_buf_span(&state));
	lp_buf_clear(&state);
}

char *lp_trace_context_parent(const struct lp_trace_context *context, char to[LP_TRACE_PARENT + 1])
{
	snprintf(to, LP_TRACE_PARENT + 1, "00-%s-%s-%02x", context->trace, context->span, context->sampled ? 1 : 0);
	return to;
}
