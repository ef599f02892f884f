#include <string.h>

#include <lpd/base/time.h>

#include "http_head.h"

/* Classes of characters, one bit each. */
enum { TOKEN = 1, VALUE = 2, TARGET = 4, HOST = 8 };

/* Built from the grammar rather than typed as 256 numbers: each test is a row of ranges and marks. */
static unsigned class_of(unsigned char c)
{
	bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
	unsigned class = 0;

	if (alnum || (c && strchr("!#$%&'*+-.^_`|~", c)))
		class |= TOKEN;
	if (c == '\t' || (c >= 0x20 && c != 0x7f))
		class |= VALUE;
	if (c > 0x20 && c != 0x7f && c != '#')
		class |= TARGET;
	if (alnum || (c && strchr("-._~!$&'()*+;=:[]%", c)))
		class |= HOST;
	return class;
}

/* The common characters without the search above. */
static bool all(struct lp_span text, unsigned class)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')
			continue;	/* in every class */
		if (!(class_of(c) & class))
			return false;
	}
	return true;
}

bool lp_http_is_token(struct lp_span text)
{
	return text.len > 0 && all(text, TOKEN);
}

static bool value_bytes(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)at[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Values are long (base64 of payments), so eight bytes are looked at together: a byte below 0x20 or one of
 * 0x7f leaves its high bit set.  A tab does too; then the eight are looked at one by one. */
bool lp_http_is_value(struct lp_span text)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	size_t i = 0;

	for (; i + 8 <= text.len; i += 8) {
		uint64_t x;

		memcpy(&x, text.at + i, 8);
		uint64_t low = (x - 0x20 * ones) & ~x;
		uint64_t del = x ^ (0x7f * ones);
		if (((low | ((del - ones) & ~del)) & (0x80 * ones)) && !value_bytes(text.at + i, 8))
			return false;
	}
	return i == text.len || value_bytes(text.at + i, text.len - i);
}

bool lp_http_is_target(struct lp_span text)
{
	return text.len > 0 && (text.at[0] == '/' || lp_span_is(text, "*")) && all(text, TARGET);
}

bool lp_http_is_authority(struct lp_span text)
{
	return all(text, HOST);
}

void lp_http_status_line(struct lp_buf *to, int status)
{
	char code[4] = { (char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10),
			 ' ' };

	lp_buf_add(to, "HTTP/1.1 ", 9);
	lp_buf_add(to, code, sizeof(code));
	lp_buf_add_text(to, lp_status_text(status));
	lp_buf_add(to, "\r\n", 2);
}

void lp_http_field(struct lp_buf *to, struct lp_span name, struct lp_span value)
{
	if (!lp_http_is_token(name) || !lp_http_is_value(value))
		return;
	char *at = lp_buf_room(to, name.len + value.len + 4);

	memcpy(at, name.at, name.len);
	memcpy(at + name.len, ": ", 2);
	if (value.len)
		memcpy(at + name.len + 2, value.at, value.len);
	memcpy(at + name.len + 2 + value.len, "\r\n", 2);
	lp_buf_grew(to, name.len + value.len + 4);
}

void lp_http_field_number(struct lp_buf *to, const char *name, uint64_t value)
{
	lp_buf_add_text(to, name);
	lp_buf_add(to, ": ", 2);
	lp_buf_add_u64(to, value);
	lp_buf_add(to, "\r\n", 2);
}

void lp_http_chunk_size(struct lp_buf *to, size_t n)
{
	char text[2 * sizeof(n) + 2];
	size_t at = sizeof(text);

	text[--at] = '\n';
	text[--at] = '\r';
	do {
		text[--at] = "0123456789abcdef"[n & 15];
		n >>= 4;
	} while (n);
	lp_buf_add(to, text + at, sizeof(text) - at);
}

bool lp_http_is_hop_field(struct lp_span name)
{
	switch (name.len) {
	case 2:
		return lp_span_is(name, "te");
	case 4:
		return lp_span_is(name, "date");
	case 7:
		return lp_span_is(name, "upgrade") || lp_span_is(name, "trailer");
	case 10:
		return lp_span_is(name, "connection") || lp_span_is(name, "keep-alive");
	case 14:
		return lp_span_is(name, "content-length");
	case 16:
		return lp_span_is(name, "proxy-connection");
	case 17:
		return lp_span_is(name, "transfer-encoding");
	}
	return false;
}

struct lp_span lp_http_date(struct lp_http_date *date, int64_t wall)
{
	int64_t second = wall / LP_SEC;

	if (second != date->second || !date->text[0]) {
		date->second = second;
		lp_time_http(wall, date->text);
	}
	return lp_span(date->text);
}
