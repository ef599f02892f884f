#include <lpd/market/capability.h>

#include <ctype.h>

/* One number of a version; at most 18 digits, leading zeros allowed.  False: there is none. */
static bool read_number(struct lp_span *text, uint64_t *out)
{
	size_t n = 0;
	uint64_t value = 0;

	while (n < text->len && n < 18 && isdigit((unsigned char)text->at[n]))
		value = value * 10 + (uint64_t)(text->at[n++] - '0');
	*text = lp_span_skip(*text, n);
	*out = value;
	return n > 0;
}

/* What may follow "-" or "+": letters, digits, hyphens, in parts separated by dots. */
static bool read_suffix(struct lp_span *text, char mark)
{
	size_t part = 0, n = 1;

	if (!text->len || text->at[0] != mark)
		return true;
	for (; n < text->len; n++) {
		char c = text->at[n];

		if (isalnum((unsigned char)c) || c == '-') {
			part++;
		} else if (c == '.' && part) {
			part = 0;
		} else {
			break;
		}
	}
	*text = lp_span_skip(*text, n);
	return part > 0;
}

/* The network's semver is lenient (network-protocol 1.6): optional v, one to three numbers,
 * optional pre-release and build, neither of which counts. */
static bool read_version(struct lp_span text, uint64_t number[3])
{
	number[0] = number[1] = number[2] = 0;
	if (lp_span_starts(text, "v"))
		text = lp_span_skip(text, 1);
	if (!read_number(&text, &number[0]))
		return false;
	for (int i = 1; i < 3 && text.len && text.at[0] == '.'; i++) {
		text = lp_span_skip(text, 1);
		if (!read_number(&text, &number[i]))
			return false;
	}
	return read_suffix(&text, '-') && read_suffix(&text, '+') && !text.len;
}

bool lp_version_satisfies(struct lp_span min, struct lp_span have)
{
	uint64_t least[3], is[3];

	if (!min.len)
		return true;
	if (!have.len || lp_span_is(have, "undefined"))
		return false;
	if (!read_version(min, least))
		return true; /* a demand that cannot be read demands nothing */
	if (!read_version(have, is))
		return false;
	for (int i = 0; i < 3; i++) {
		if (is[i] != least[i])
			return is[i] > least[i];
	}
	return true;
}
