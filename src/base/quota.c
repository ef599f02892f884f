/* base/quota - see the header. */
#include <lpd/base/quota.h>

#include <arpa/inet.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>

#define KEY_MAX 64
#define PREFIX 8	/* bytes of an IPv6 address that are one client: a /64 */

struct lp_quota {
	struct lp_map *clients;	/* struct lp_quota_row by key */
	size_t rows;
};

struct lp_quota_row {
	int held;
	size_t len;
	char key[KEY_MAX];
};

static void close_quota(void *arg)
{
	struct lp_quota *q = arg;

	lp_map_free_all(&q->clients, lp_mem_free);
}

struct lp_quota *lp_quota_open(struct lp_scope *scope, size_t rows)
{
	struct lp_quota *q = lp_new(scope, struct lp_quota);

	q->clients = lp_map_new();
	q->rows = rows;
	lp_defer(scope, close_quota, q);
	return q;
}

/* "[v6]:port" or "host:port" without brackets and port. */
static struct lp_span host_of(struct lp_span peer)
{
	struct lp_span rest = peer;

	if (lp_span_starts(peer, "[")) {
		rest = lp_span_skip(peer, 1);
		return lp_span_cut(&rest, ']');
	}
	return lp_span_cut(&rest, ':');
}

/* The client's key: 4 bytes, 8 bytes or a name with a letter before it, so that no name looks like an address.  0: it
 * has none. */
static size_t key_of(char key[KEY_MAX], struct lp_span peer)
{
	struct lp_span host = host_of(peer);
	unsigned char v6[16];
	char text[KEY_MAX - 1];

	if (!host.len || host.len == peer.len || !lp_span_copy(text, sizeof(text), host))
		return 0;
	if (inet_pton(AF_INET, text, key + 1) == 1) {
		key[0] = '4';
		return 5;
	}
	if (inet_pton(AF_INET6, text, v6) == 1) {
		bool mapped = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)v6);

		key[0] = mapped ? '4' : '6';
		memcpy(key + 1, mapped ? v6 + 12 : v6, mapped ? 4 : PREFIX);
		return mapped ? 5 : 1 + PREFIX;
	}
	key[0] = 'n';
	memcpy(key + 1, host.at, host.len);
	return 1 + host.len;
}

static struct lp_quota_row *find(const struct lp_quota *q, const char *key, size_t len)
{
	return lp_map_find(q->clients, (struct lp_span){ key, len });
}

bool lp_quota_take(struct lp_quota *q, struct lp_span peer, int most, struct lp_quota_row **out)
{
	char key[KEY_MAX];
	size_t len = most > 0 ? key_of(key, peer) : 0;
	struct lp_quota_row *row;

	*out = NULL;
	if (!len)
		return true;
	row = find(q, key, len);
	if (row ? row->held >= most : lp_map_count(q->clients) >= q->rows)
		return false;
	if (!row) {
		row = lp_mem_get(sizeof(*row));
		row->held = 0;
		row->len = len;
		memcpy(row->key, key, len);
		lp_map_put(q->clients, (struct lp_span){ row->key, len }, row);
	}
	row->held++;
	*out = row;
	return true;
}

void lp_quota_give(struct lp_quota *q, struct lp_quota_row **at)
{
	struct lp_quota_row *row = *at;

	*at = NULL;
	if (!row)
		return;
	lp_assert(row->held > 0);
	if (--row->held)
		return;
	lp_map_take(q->clients, (struct lp_span){ row->key, row->len });
	lp_mem_free(row);
}

int lp_quota_held(const struct lp_quota *q, struct lp_span peer)
{
	char key[KEY_MAX];
	size_t len = key_of(key, peer);
	const struct lp_quota_row *row = len ? find(q, key, len) : NULL;

	return row ? row->held : 0;
}

size_t lp_quota_rows(const struct lp_quota *q)
{
	return lp_map_count(q->clients);
}
