#include <lpd/base/str.h>

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct lp_span lp_span(const char *text)
{
	return text ? (struct lp_span){ text, strlen(text) } : (struct lp_span){ NULL, 0 };
}

struct lp_span lp_span_of(const void *at, size_t len)
{
	return (struct lp_span){ at, len };
}

bool lp_span_eq(struct lp_span a, struct lp_span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool lp_span_is(struct lp_span a, const char *text)
{
	return lp_span_eq(a, lp_span(text));
}

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool same_icase(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

bool lp_span_is_icase(struct lp_span a, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	return a.len == len && same_icase(a.at, text, len);
}

bool lp_span_starts(struct lp_span a, const char *prefix)
{
	size_t len = strlen(prefix);

	return len == 0 || (a.len >= len && memcmp(a.at, prefix, len) == 0);
}

bool lp_span_ends(struct lp_span a, const char *suffix)
{
	size_t len = strlen(suffix);

	return len == 0 || (a.len >= len && memcmp(a.at + a.len - len, suffix, len) == 0);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

struct lp_span lp_span_trim(struct lp_span a)
{
	while (a.len > 0 && blank(a.at[0])) {
		a.at++;
		a.len--;
	}
	while (a.len > 0 && blank(a.at[a.len - 1]))
		a.len--;
	return a;
}

struct lp_span lp_span_skip(struct lp_span a, size_t n)
{
	if (n > a.len)
		n = a.len;
	return n ? (struct lp_span){ a.at + n, a.len - n } : a;
}

struct lp_span lp_span_cut(struct lp_span *rest, char mark)
{
	struct lp_span head = *rest;
	const char *found = head.len ? memchr(head.at, mark, head.len) : NULL;

	if (!found) {
		*rest = (struct lp_span){ NULL, 0 };
		return head;
	}
	head.len = (size_t)(found - head.at);
	*rest = (struct lp_span){ found + 1, rest->len - head.len - 1 };
	return head;
}

ptrdiff_t lp_span_find(struct lp_span in, struct lp_span what)
{
	if (what.len == 0)
		return 0;
	if (in.len < what.len)
		return -1;
	const char *found = memmem(in.at, in.len, what.at, what.len);

	return found ? found - in.at : -1;
}

ptrdiff_t lp_span_find_icase(struct lp_span in, const char *what)
{
	size_t len = strlen(what);

	for (size_t i = 0; i + len <= in.len; i++) {
		if (len == 0 || same_icase(in.at + i, what, len))
			return (ptrdiff_t)i;
	}
	return -1;
}

bool lp_span_u64(struct lp_span a, uint64_t *out)
{
	uint64_t n = 0;

	if (a.len == 0)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		unsigned digit = (unsigned)(unsigned char)a.at[i] - '0';
		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*out = n;
	return true;
}

bool lp_span_i64(struct lp_span a, int64_t *out)
{
	bool negative = a.len > 0 && a.at[0] == '-';
	uint64_t n;

	if (!lp_span_u64(lp_span_skip(a, negative ? 1 : 0), &n) || n > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	/* Through the complement, since -INT64_MIN has no place in an int64_t. */
	*out = negative ? (int64_t)(~n + 1) : (int64_t)n;
	return true;
}

static size_t skip_digits(struct lp_span a, size_t at)
{
	while (at < a.len && a.at[at] >= '0' && a.at[at] <= '9')
		at++;
	return at;
}

static size_t skip_sign(struct lp_span a, size_t at)
{
	return at < a.len && (a.at[at] == '-' || a.at[at] == '+') ? at + 1 : at;
}

/* [sign] digits [. digits] [e [sign] digits], at least one digit before the exponent. */
static bool looks_decimal(struct lp_span a)
{
	size_t start = skip_sign(a, 0);
	size_t at = skip_digits(a, start);
	size_t digits = at - start;

	if (at < a.len && a.at[at] == '.') {
		size_t fraction = at + 1;
		at = skip_digits(a, fraction);
		digits += at - fraction;
	}
	if (digits == 0)
		return false;
	if (at < a.len && (a.at[at] == 'e' || a.at[at] == 'E')) {
		size_t exponent = skip_sign(a, at + 1);
		at = skip_digits(a, exponent);
		if (at == exponent)
			return false;
	}
	return at == a.len;
}

bool lp_span_f64(struct lp_span a, double *out)
{
	char text[128];

	if (a.len >= sizeof(text) || !looks_decimal(a))
		return false;
	memcpy(text, a.at, a.len);
	text[a.len] = 0;
	/* The C locale's object is static in glibc and musl: this neither allocates nor has to be freed. */
	double n = strtod_l(text, NULL, newlocale(LC_ALL_MASK, "C", (locale_t)0));
	if (!isfinite(n))
		return false;
	*out = n;
	return true;
}

bool lp_span_bool(struct lp_span a, bool *out)
{
	static const char *const truths[] = { "1", "t", "T", "TRUE", "true", "True" };
	static const char *const lies[] = { "0", "f", "F", "FALSE", "false", "False" };

	for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++) {
		if (lp_span_is(a, truths[i])) {
			*out = true;
			return true;
		}
		if (lp_span_is(a, lies[i])) {
			*out = false;
			return true;
		}
	}
	return false;
}

bool lp_span_copy(char *to, size_t cap, struct lp_span from)
{
	if (cap == 0)
		return false;
	size_t n = from.len < cap ? from.len : cap - 1;

	if (n > 0)
		memcpy(to, from.at, n);
	to[n] = 0;
	return n == from.len;
}

static bool continues(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Length of the well-formed sequence at u (RFC 3629 section 4), or 0. */
static size_t utf8_step(const unsigned char *u, size_t left)
{
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		return left >= 2 && continues(u[1]) ? 2 : 0;
	if ((u[0] & 0xf0) == 0xe0) {
		if (left < 3 || !continues(u[1]) || !continues(u[2]))
			return 0;
		bool overlong = u[0] == 0xe0 && u[1] < 0xa0;
		bool surrogate = u[0] == 0xed && u[1] >= 0xa0;
		return overlong || surrogate ? 0 : 3;
	}
	if (u[0] >= 0xf0 && u[0] <= 0xf4) {
		if (left < 4 || !continues(u[1]) || !continues(u[2]) || !continues(u[3]))
			return 0;
		bool overlong = u[0] == 0xf0 && u[1] < 0x90;
		bool beyond = u[0] == 0xf4 && u[1] >= 0x90;
		return overlong || beyond ? 0 : 4;
	}
	return 0;
}

bool lp_utf8_valid(struct lp_span a)
{
	const unsigned char *u = (const unsigned char *)a.at;
	size_t at = 0;

	while (at < a.len) {
		/* Eight ASCII bytes at once: nearly all text is that. */
		while (a.len - at >= 8) {
			uint64_t eight;
			memcpy(&eight, u + at, 8);
			if (eight & 0x8080808080808080u)
				break;
			at += 8;
		}
		if (at == a.len)
			return true;
		size_t n = utf8_step(u + at, a.len - at);
		if (n == 0)
			return false;
		at += n;
	}
	return true;
}

size_t lp_utf8_count(struct lp_span a)
{
	size_t count = 0;

	for (size_t i = 0; i < a.len; i++)
		count += !continues((unsigned char)a.at[i]);
	return count;
}
