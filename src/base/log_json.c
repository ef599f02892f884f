/* base/log_json - log lines for machines: what log.c wrote, turned into JSON.
 *
 * One place knows how a line is made, and this is the other that knows how it is read; so nothing that logs needs to
 * think of two forms. */
#include <lpd/base/log.h>

#include <string.h>

struct out {
	char *at;
	size_t len, cap;	/* cap leaves room for "}\n" */
	bool full;
};

static void put(struct out *o, const char *at, size_t len)
{
	if (o->full || len > o->cap - o->len) {
		o->full = true;
		return;
	}
	memcpy(o->at + o->len, at, len);
	o->len += len;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Escapes of ours are \n, \\, \" and \xHH; JSON has no \x, and what is no UTF-8 it cannot say at all.  Any other
 * backslash came through a format, or the line was cut behind it: it stands for itself. */
static size_t put_escape(struct out *o, struct lp_span text)
{
	if (text.len >= 4 && text.at[1] == 'x' && is_hex(text.at[2]) && is_hex(text.at[3])) {
		put(o, "\\u00", 4);
		put(o, text.at + 2, 2);
		return 4;
	}
	if (text.len >= 2 && (text.at[1] == 'n' || text.at[1] == '"' || text.at[1] == '\\')) {
		put(o, text.at, 2);
		return 2;
	}
	put(o, "\\\\", 2);
	return 1;
}

static size_t utf8_length(unsigned char c)
{
	return c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
}

/* text as it stands in the line, without the quotes around it */
static void put_string(struct out *o, struct lp_span text, bool escaped)
{
	put(o, "\"", 1);
	while (text.len) {
		size_t n = utf8_length((unsigned char)text.at[0]);

		if (escaped && text.at[0] == '\\') {
			n = put_escape(o, text);
		} else if (text.at[0] == '"' || text.at[0] == '\\') {
			put(o, "\\", 1);
			put(o, text.at, 1);
			n = 1;
		} else if ((unsigned char)text.at[0] >= ' ' && n <= text.len && lp_utf8_valid(lp_span_of(text.at, n))) {
			put(o, text.at, n);
		} else {
			put(o, "?", 1);
			n = 1;
		}
		text = lp_span_skip(text, n);
	}
	put(o, "\"", 1);
}

/* The next word: up to a blank, or what stands in quotes.  True in *quoted: the latter, without them. */
static struct lp_span next_value(struct lp_span *rest, bool *quoted)
{
	size_t n = 1;

	*quoted = rest->len && rest->at[0] == '"';
	if (!*quoted)
		return lp_span_cut(rest, ' ');
	while (n < rest->len && rest->at[n] != '"')
		n += rest->at[n] == '\\' ? 2 : 1;
	n = n < rest->len ? n : rest->len;
	struct lp_span value = lp_span_of(rest->at + 1, n - 1);

	*rest = lp_span_skip(*rest, n + 2);	/* the quote and the blank behind it */
	return value;
}

/* A pair is there whole or not at all. */
static void put_pair(struct out *o, struct lp_span key, struct lp_span value, bool escaped)
{
	size_t before = o->len;

	if (o->len > 1)
		put(o, ",", 1);
	put_string(o, key, false);
	put(o, ":", 1);
	put_string(o, value, escaped);
	if (o->full)
		o->len = before;
}

size_t lp_log_json(char *to, size_t cap, struct lp_span line)
{
	struct out o = { to, 0, cap - 2, false };
	bool quoted;

	if (line.len && line.at[line.len - 1] == '\n')
		line.len--;
	put(&o, "{", 1);
	if (line.len && line.at[0] >= '0' && line.at[0] <= '9')
		put_pair(&o, LP_SPAN("time"), lp_span_cut(&line, ' '), false);
	put_pair(&o, LP_SPAN("level"), lp_span_cut(&line, ' '), false);
	struct lp_span event = next_value(&line, &quoted);

	put_pair(&o, LP_SPAN("event"), event, quoted);
	while (line.len && !o.full) {
		ptrdiff_t equals = lp_span_find(line, LP_SPAN("="));

		if (equals < 0)
			break;
		struct lp_span key = lp_span_of(line.at, (size_t)equals);

		line = lp_span_skip(line, (size_t)equals + 1);
		struct lp_span value = next_value(&line, &quoted);

		put_pair(&o, key, value, quoted);
	}
	memcpy(to + o.len, "}\n", 2);
	return o.len + 2;
}
