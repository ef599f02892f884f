#include <lpd/io/reach.h>

#include <arpa/inet.h>
#include <string.h>

#include <lpd/base/assert.h>

/* A block of addresses as IPv6 has them; IPv4 stands in ::ffff:0:0/96. */
struct block {
	const char *first;
	int bits;
	enum lp_reach reach;
};

static const struct block blocks[] = {
	{ "::ffff:0.0.0.0", 96 + 8, LP_REACH_OWN },	/* "this host": Linux takes it for loopback */
	{ "::ffff:127.0.0.0", 96 + 8, LP_REACH_OWN },
	{ "::", 127, LP_REACH_OWN },			/* :: and ::1 */
	{ "::ffff:169.254.0.0", 96 + 16, LP_REACH_LINK },
	{ "fe80::", 10, LP_REACH_LINK },
	{ "::ffff:10.0.0.0", 96 + 8, LP_REACH_PRIVATE },
	{ "::ffff:172.16.0.0", 96 + 12, LP_REACH_PRIVATE },
	{ "::ffff:192.168.0.0", 96 + 16, LP_REACH_PRIVATE },
	{ "::ffff:100.64.0.0", 96 + 10, LP_REACH_PRIVATE },	/* RFC 6598: behind a carrier's NAT, VPNs */
	{ "fc00::", 7, LP_REACH_PRIVATE },
};

static bool is_in(const struct in6_addr *address, const struct block *block)
{
	struct in6_addr first;
	int whole = block->bits / 8, rest = block->bits % 8;

	lp_assert(inet_pton(AF_INET6, block->first, &first) == 1);
	if (memcmp(address, &first, (size_t)whole) != 0)
		return false;
	return !rest || (address->s6_addr[whole] ^ first.s6_addr[whole]) >> (8 - rest) == 0;
}

enum lp_reach lp_reach_of_bytes(const void *bytes, size_t len)
{
	struct in6_addr address = { .s6_addr = { [10] = 0xff, [11] = 0xff } };	/* of four bytes: mapped */

	lp_assert(len == 4 || len == sizeof(address));
	memcpy(address.s6_addr + sizeof(address) - len, bytes, len);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++)
		if (is_in(&address, &blocks[i]))
			return blocks[i].reach;
	return LP_REACH_PUBLIC;
}

static enum lp_reach of_name(struct lp_span name)
{
	static const char *const local[] = { ".local", ".lan", ".internal", ".home.arpa", ".intranet" };

	if (lp_span_is(name, "localhost") || lp_span_ends(name, ".localhost"))
		return LP_REACH_OWN;
	if (lp_span_find(name, LP_SPAN(".")) < 0)
		return LP_REACH_PRIVATE;
	for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++)
		if (lp_span_ends(name, local[i]))
			return LP_REACH_PRIVATE;
	return LP_REACH_PUBLIC;
}

enum lp_reach lp_reach_of(const struct lp_url *url)
{
	struct lp_span host = url->host;
	struct in6_addr six;
	struct in_addr four;
	char text[256];

	if (url->unix_path || !host.len)
		return LP_REACH_OWN;
	while (host.len && host.at[host.len - 1] == '.')
		host.len--;
	if (!lp_span_copy(text, sizeof(text), host))
		return LP_REACH_PUBLIC;
	if (inet_pton(AF_INET6, text, &six) == 1)
		return lp_reach_of_bytes(&six, sizeof(six));
	/* Numbers that a resolver reads as an address are addresses: "127.1", "0x7f000001", "2130706433". */
	return inet_aton(text, &four) ? lp_reach_of_bytes(&four, sizeof(four)) : of_name(host);
}

bool lp_reach_may_name(const struct lp_url *asked, const struct lp_url *named)
{
	enum lp_reach from = lp_reach_of(asked), to = lp_reach_of(named);

	if (named->unix_path)
		return false;
	if (lp_span_eq(asked->host, named->host))
		return true;
	/* Of two private networks each is the operator's own; a machine's own orchestrator may name either. */
	return to == LP_REACH_PUBLIC || (to == LP_REACH_PRIVATE && from != LP_REACH_PUBLIC) ||
	       (to == LP_REACH_OWN && from == LP_REACH_OWN);
}
