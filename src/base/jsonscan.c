#include <lpd/base/jsonscan.h>

#include <string.h>

enum { MAX_DEPTH = 32 };

/* Where the scanner stands; `at` never passes `end`. */
struct scan {
	const char *at, *end;
};

static void skip_blanks(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
}

static bool take(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* Past the closing quote; false if there is none.  A quote is escaped when an odd number of backslashes
 * stands before it.  Each backslash is counted for one quote only, so this is linear. */
static bool skip_string(struct scan *s)
{
	const char *start = s->at + 1;

	for (const char *from = start;;) {
		const char *quote = memchr(from, '"', (size_t)(s->end - from));
		if (!quote)
			return false;
		const char *slash = quote;
		while (slash > start && slash[-1] == '\\')
			slash--;
		from = quote + 1;
		if ((quote - slash) % 2 == 0) {
			s->at = from;
			return true;
		}
	}
}

static bool skip_word(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
		return false;
	s->at += len;
	return true;
}

static bool skip_number(struct scan *s)
{
	const char *start = s->at;

	while (s->at < s->end && ((*s->at >= '0' && *s->at <= '9') || *s->at == '-' || *s->at == '+' ||
				  *s->at == '.' || *s->at == 'e' || *s->at == 'E'))
		s->at++;
	return s->at > start;
}

static enum lp_jkind kind_at(const struct scan *s)
{
	if (s->at == s->end)
		return LP_J_BAD;
	switch (*s->at) {
	case '"':
		return LP_J_STRING;
	case '{':
		return LP_J_OBJECT;
	case '[':
		return LP_J_ARRAY;
	case 't':
	case 'f':
		return LP_J_BOOL;
	case 'n':
		return LP_J_NULL;
	case '-':
		return LP_J_NUMBER;
	default:
		return *s->at >= '0' && *s->at <= '9' ? LP_J_NUMBER : LP_J_BAD;
	}
}

static bool skip_flat(struct scan *s, enum lp_jkind kind)
{
	switch (kind) {
	case LP_J_STRING:
		return skip_string(s);
	case LP_J_NUMBER:
		return skip_number(s);
	case LP_J_NULL:
		return skip_word(s, "null");
	case LP_J_BOOL:
		return skip_word(s, *s->at == 't' ? "true" : "false");
	case LP_J_BAD:
	case LP_J_ARRAY:
	case LP_J_OBJECT:
		break;
	}
	return false;
}

/* A member's key and its colon. */
static bool skip_key(struct scan *s)
{
	skip_blanks(s);
	if (s->at == s->end || *s->at != '"' || !skip_string(s))
		return false;
	skip_blanks(s);
	return take(s, ':');
}

/* After a value inside `open` containers: past closing brackets and the comma before the next value.
 * *open is 0 when the outermost one has closed. */
static bool close_up(struct scan *s, const char *closers, int *open)
{
	while (*open > 0) {
		skip_blanks(s);
		if (take(s, ','))
			return closers[*open - 1] == ']' || skip_key(s);
		if (!take(s, closers[*open - 1]))
			return false;
		--*open;
	}
	return true;
}

/* Past one value of any depth, without recursion. */
static bool skip_value(struct scan *s)
{
	char closers[MAX_DEPTH];
	int open = 0;

	do {
		skip_blanks(s);
		enum lp_jkind kind = kind_at(s);
		if (kind != LP_J_ARRAY && kind != LP_J_OBJECT) {
			if (!skip_flat(s, kind) || !close_up(s, closers, &open))
				return false;
			continue;
		}
		if (open == MAX_DEPTH)
			return false;
		s->at++;
		closers[open++] = kind == LP_J_ARRAY ? ']' : '}';
		skip_blanks(s);
		if (take(s, closers[open - 1])) {
			open--;
			if (!close_up(s, closers, &open))
				return false;
		} else if (kind == LP_J_OBJECT && !skip_key(s)) {
			return false;
		}
	} while (open > 0);
	return true;
}

static struct lp_jval value_at(struct scan *s)
{
	skip_blanks(s);
	struct lp_jval value = { kind_at(s), { s->at, 0 } };

	if (value.kind == LP_J_BAD || !skip_value(s))
		return (struct lp_jval){ LP_J_BAD, { NULL, 0 } };
	value.raw.len = (size_t)(s->at - value.raw.at);
	return value;
}

struct lp_jval lp_jscan(struct lp_span text)
{
	if (text.len == 0)
		return (struct lp_jval){ LP_J_BAD, { NULL, 0 } };
	struct scan s = { text.at, text.at + text.len };
	struct lp_jval value = value_at(&s);

	skip_blanks(&s);
	return s.at == s.end ? value : (struct lp_jval){ LP_J_BAD, { NULL, 0 } };
}

/* Stand before the next element: past the opening bracket or the comma. */
static bool step_in(struct lp_span raw, size_t at, struct scan *s)
{
	if (raw.len < 2 || at >= raw.len - 1)
		return false;
	*s = (struct scan){ raw.at + (at ? at : 1), raw.at + raw.len - 1 };
	skip_blanks(s);
	if (at > 0 && !take(s, ','))
		return false;
	return s->at < s->end;
}

bool lp_jscan_each(struct lp_jval array, size_t *at, struct lp_jval *element)
{
	struct scan s;

	if (array.kind != LP_J_ARRAY || !step_in(array.raw, *at, &s))
		return false;
	*element = value_at(&s);
	*at = (size_t)(s.at - array.raw.at);
	return element->kind != LP_J_BAD;
}

bool lp_jscan_each_member(struct lp_jval object, size_t *at, struct lp_span *key, struct lp_jval *value)
{
	struct scan s;

	if (object.kind != LP_J_OBJECT || !step_in(object.raw, *at, &s))
		return false;
	skip_blanks(&s);
	const char *start = s.at;
	if (s.at == s.end || *s.at != '"' || !skip_string(&s))
		return false;
	*key = lp_span_of(start + 1, (size_t)(s.at - start) - 2);
	skip_blanks(&s);
	if (!take(&s, ':'))
		return false;
	*value = value_at(&s);
	*at = (size_t)(s.at - object.raw.at);
	return value->kind != LP_J_BAD;
}

struct lp_jval lp_jscan_get(struct lp_jval object, const char *key)
{
	struct lp_span wanted = { key, strlen(key) }, name;
	struct lp_jval value;
	size_t at = 0;

	while (lp_jscan_each_member(object, &at, &name, &value)) {
		if (lp_span_eq(name, wanted))
			return value;
	}
	return (struct lp_jval){ LP_J_BAD, { NULL, 0 } };
}

static bool inside(struct lp_jval string, struct lp_span *out)
{
	if (string.kind != LP_J_STRING || string.raw.len < 2)
		return false;
	*out = lp_span_of(string.raw.at + 1, string.raw.len - 2);
	return true;
}

bool lp_jscan_plain(struct lp_jval string, struct lp_span *out)
{
	struct lp_span text;

	if (!inside(string, &text) || memchr(text.at, '\\', text.len))
		return false;
	*out = text;
	return true;
}

static bool read_hex4(const char *at, const char *end, unsigned *out)
{
	unsigned n = 0;

	if (end - at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = at[i];
		unsigned digit;
		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (unsigned)((c | 0x20) - 'a') + 10;
		else
			return false;
		n = n << 4 | digit;
	}
	*out = n;
	return true;
}

/* Past the four digits after \u, and past a low surrogate that completes a high one.  A lone surrogate
 * becomes U+FFFD, as in Go. */
static bool read_escape_u(const char **at, const char *end, unsigned *out)
{
	unsigned first, second;

	if (!read_hex4(*at, end, &first))
		return false;
	*at += 4;
	*out = first;
	if (first < 0xd800 || first > 0xdfff)
		return true;
	*out = 0xfffd;
	if (first < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u' &&
	    read_hex4(*at + 2, end, &second) && second >= 0xdc00 && second <= 0xdfff) {
		*at += 6;
		*out = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
	}
	return true;
}

static size_t utf8_write(char to[4], unsigned c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		to[i] = (char)(0x80 | (c & 0x3f));
	to[0] = (char)(marks[n] | c);
	return n;
}

/* What the escape at *at (behind its backslash) stands for; its bytes, 0 if it is none. */
static size_t read_escape(const char **at, const char *end, char to[4])
{
	static const char from[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	unsigned c;

	if (*at == end)
		return 0;
	char which = *(*at)++;
	if (which == 'u')
		return read_escape_u(at, end, &c) ? utf8_write(to, c) : 0;
	const char *found = which ? strchr(from, which) : NULL;
	if (!found)
		return 0;
	to[0] = means[found - from];
	return 1;
}

bool lp_jscan_unescape(struct lp_jval string, char *to, size_t cap, size_t *len)
{
	struct lp_span text;
	size_t out = 0;

	if (!inside(string, &text))
		return false;
	const char *at = text.at, *end = text.at + text.len;
	while (at < end) {
		const char *slash = memchr(at, '\\', (size_t)(end - at));
		size_t run = (size_t)((slash ? slash : end) - at);
		char special[4];

		if (run > cap - out)
			return false;
		if (run > 0)
			memcpy(to + out, at, run);
		out += run;
		if (!slash)
			break;
		at = slash + 1;
		size_t n = read_escape(&at, end, special);
		if (n == 0 || n > cap - out)
			return false;
		memcpy(to + out, special, n);
		out += n;
	}
	*len = out;
	return true;
}

bool lp_jscan_u64(struct lp_jval number, uint64_t *out)
{
	return number.kind == LP_J_NUMBER && lp_span_u64(number.raw, out);
}

bool lp_jscan_bool(struct lp_jval value, bool *out)
{
	if (value.kind != LP_J_BOOL)
		return false;
	*out = value.raw.at[0] == 't';
	return true;
}
