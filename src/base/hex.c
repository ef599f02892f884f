#include <lpd/base/hex.h>

#include <string.h>

#include <lpd/base/assert.h>

char *lp_hex_write(char *to, const void *at, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = at;

	for (size_t i = 0; i < len; i++) {
		to[2 * i] = digits[bytes[i] >> 4];
		to[2 * i + 1] = digits[bytes[i] & 15];
	}
	to[2 * len] = 0;
	return to;
}

int lp_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool lp_hex_read(void *to, size_t len, struct lp_span text)
{
	unsigned char *bytes = to;

	if (lp_span_starts(text, "0x") || lp_span_starts(text, "0X"))
		text = lp_span_skip(text, 2);
	if (text.len % 2 != 0 || text.len / 2 != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = lp_hex_digit(text.at[2 * i]);
		int low = lp_hex_digit(text.at[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* Each of the four places of a quad has its own table: the six bits already stand where they belong in
 * three bytes that are stored with one little-endian write, and COUNT tells that the character was one of
 * the alphabet.  Four counts add up to WHOLE; the sums cannot run into each other. */
#define COUNT (1u << 26)
#define WHOLE (4u << 26)

#define AT0(v) (COUNT | (uint32_t)(v) << 2)
#define AT1(v) (COUNT | (uint32_t)(v) >> 4 | ((uint32_t)(v) & 15) << 12)
#define AT2(v) (COUNT | ((uint32_t)(v) >> 2) << 8 | ((uint32_t)(v) & 3) << 22)
#define AT3(v) (COUNT | (uint32_t)(v) << 16)

/* clang-format off */
#define ALPHABET(F) { \
	['A'] = F(0), ['B'] = F(1), ['C'] = F(2), ['D'] = F(3), ['E'] = F(4), ['F'] = F(5), ['G'] = F(6), \
	['H'] = F(7), ['I'] = F(8), ['J'] = F(9), ['K'] = F(10), ['L'] = F(11), ['M'] = F(12), ['N'] = F(13), \
	['O'] = F(14), ['P'] = F(15), ['Q'] = F(16), ['R'] = F(17), ['S'] = F(18), ['T'] = F(19), ['U'] = F(20), \
	['V'] = F(21), ['W'] = F(22), ['X'] = F(23), ['Y'] = F(24), ['Z'] = F(25), ['a'] = F(26), ['b'] = F(27), \
	['c'] = F(28), ['d'] = F(29), ['e'] = F(30), ['f'] = F(31), ['g'] = F(32), ['h'] = F(33), ['i'] = F(34), \
	['j'] = F(35), ['k'] = F(36), ['l'] = F(37), ['m'] = F(38), ['n'] = F(39), ['o'] = F(40), ['p'] = F(41), \
	['q'] = F(42), ['r'] = F(43), ['s'] = F(44), ['t'] = F(45), ['u'] = F(46), ['v'] = F(47), ['w'] = F(48), \
	['x'] = F(49), ['y'] = F(50), ['z'] = F(51), ['0'] = F(52), ['1'] = F(53), ['2'] = F(54), ['3'] = F(55), \
	['4'] = F(56), ['5'] = F(57), ['6'] = F(58), ['7'] = F(59), ['8'] = F(60), ['9'] = F(61), ['+'] = F(62), \
	['/'] = F(63), \
}
/* clang-format on */

static const uint32_t places[4][256] = { ALPHABET(AT0), ALPHABET(AT1), ALPHABET(AT2), ALPHABET(AT3) };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "quads are stored as little-endian words");

static uint32_t quad(const unsigned char *from)
{
	return places[0][from[0]] + places[1][from[1]] + places[2][from[2]] + places[3][from[3]];
}

/* n whole quads without padding.  Each write spills one byte over, which the quad after it puts right:
 * the caller decodes at least one more. */
static bool read_quads(unsigned char *to, const unsigned char *from, size_t n)
{
	uint32_t bad = 0;

	for (; n >= 4; n -= 4, from += 16, to += 12) {
		uint32_t a = quad(from), b = quad(from + 4), c = quad(from + 8), d = quad(from + 12);
		bad |= (a ^ WHOLE) | (b ^ WHOLE) | (c ^ WHOLE) | (d ^ WHOLE);
		memcpy(to, &a, 4);
		memcpy(to + 3, &b, 4);
		memcpy(to + 6, &c, 4);
		memcpy(to + 9, &d, 4);
	}
	for (; n > 0; n--, from += 4, to += 3) {
		uint32_t a = quad(from);
		bad |= a ^ WHOLE;
		memcpy(to, &a, 4);
	}
	return bad < COUNT;
}

/* The last quad, which may be padded; the bits that padding leaves over must be zero.  Returns how many
 * bytes it held, 0 if it is malformed. */
static size_t read_last(unsigned char *to, const unsigned char *from)
{
	unsigned char full[4];
	size_t pads = from[3] != '=' ? 0 : from[2] != '=' ? 1 : 2;

	memcpy(full, from, 4);
	for (size_t i = 4 - pads; i < 4; i++)
		full[i] = 'A';
	uint32_t bits = quad(full);
	if ((bits & ~(COUNT - 1)) != WHOLE)
		return 0;
	/* 'A' adds no bits, so whatever stands above the bytes that count is a stray bit. */
	size_t n = 3 - pads;
	if (((bits & (COUNT - 1)) >> (8 * n)) != 0)
		return 0;
	memcpy(to, &bits, n);
	return n;
}

bool lp_b64_read(void *to, size_t *out, struct lp_span text)
{
	const unsigned char *from = (const unsigned char *)text.at;
	size_t quads = text.len / 4;

	*out = 0;
	if (text.len % 4 != 0)
		return false;
	if (quads == 0)
		return true;
	if (!read_quads(to, from, quads - 1))
		return false;
	size_t last = read_last((unsigned char *)to + 3 * (quads - 1), from + 4 * (quads - 1));
	*out = 3 * (quads - 1) + last;
	return last > 0;
}

bool lp_b64_read_dup(struct lp_scope *scope, struct lp_span *out, struct lp_span text)
{
	char *to = lp_alloc(scope, text.len / 4 * 3 + 1);
	size_t len;

	if (!lp_b64_read(to, &len, text))
		return false;
	to[len] = 0;
	*out = lp_span_of(to, len);
	return true;
}

static void write_triple(char *to, const unsigned char *from)
{
	uint32_t bits = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];

	to[0] = alphabet[bits >> 18];
	to[1] = alphabet[bits >> 12 & 63];
	to[2] = alphabet[bits >> 6 & 63];
	to[3] = alphabet[bits & 63];
}

/* Six bytes to eight characters through one register; no loop, which the compiler would keep. */
static void write_sextuple(char *to, const unsigned char *from)
{
	uint64_t bits;

	memcpy(&bits, from, 8);
	bits = __builtin_bswap64(bits);
	to[0] = alphabet[bits >> 58];
	to[1] = alphabet[bits >> 52 & 63];
	to[2] = alphabet[bits >> 46 & 63];
	to[3] = alphabet[bits >> 40 & 63];
	to[4] = alphabet[bits >> 34 & 63];
	to[5] = alphabet[bits >> 28 & 63];
	to[6] = alphabet[bits >> 22 & 63];
	to[7] = alphabet[bits >> 16 & 63];
}

void lp_b64_write(struct lp_buf *to, struct lp_span bytes)
{
	lp_assert(bytes.len < SIZE_MAX / 8);
	size_t total = LP_B64_LEN(bytes.len);
	char *at = lp_buf_room(to, total);
	const unsigned char *from = (const unsigned char *)bytes.at;
	size_t left = bytes.len;

	for (; left >= 8; left -= 6, from += 6, at += 8)
		write_sextuple(at, from);
	for (; left >= 3; left -= 3, from += 3, at += 4)
		write_triple(at, from);
	if (left > 0) {
		unsigned char last[3] = { from[0], left == 2 ? from[1] : 0, 0 };
		write_triple(at, last);
		at[3] = '=';
		if (left == 1)
			at[2] = '=';
	}
	lp_buf_grew(to, total);
}
