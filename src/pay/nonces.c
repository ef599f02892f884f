#include <lpd/pay/nonces.h>

#include <stdlib.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>

struct offer {
	uint64_t expiration_block;
	uint32_t used;
	uint32_t room;
	uint32_t *nonce;	/* in order */
};

struct lp_nonces {
	struct lp_map *offers;	/* by rand's hash */
	size_t max;
};

static struct lp_span key_of(const struct lp_hash *hash)
{
	return lp_span_of(hash->bytes, sizeof hash->bytes);
}

struct lp_nonces *lp_nonces_new(size_t max_offers)
{
	struct lp_nonces *nonces = lp_mem_zeroed(1, sizeof *nonces);

	nonces->offers = lp_map_new();
	nonces->max = max_offers;
	return nonces;
}

static void offer_free(struct offer *offer)
{
	lp_mem_free(offer->nonce);
	lp_mem_free(offer);
}

void lp_nonces_free(struct lp_nonces **nonces)
{
	struct lp_span key;
	size_t at = 0;
	void *offer;

	if (!*nonces)
		return;
	while (lp_map_next((*nonces)->offers, &at, &key, &offer))
		offer_free(offer);
	lp_map_free(&(*nonces)->offers);
	lp_mem_free(*nonces);
	*nonces = NULL;
}

size_t lp_nonces_offers(const struct lp_nonces *nonces)
{
	return lp_map_count(nonces->offers);
}

/* The first place whose nonce is not below. */
static uint32_t place_of(const struct offer *offer, uint32_t nonce)
{
	uint32_t low = 0, high = offer->used;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (offer->nonce[middle] < nonce)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool seen(const struct offer *offer, uint32_t nonce)
{
	uint32_t at = place_of(offer, nonce);

	return at < offer->used && offer->nonce[at] == nonce;
}

static void insert(struct offer *offer, uint32_t nonce)
{
	uint32_t at = place_of(offer, nonce);

	if (offer->used == offer->room) {
		offer->room = offer->room ? 2 * offer->room : 4;
		offer->nonce = lp_mem_grow(offer->nonce, offer->room * sizeof *offer->nonce);
	}
	memmove(offer->nonce + at + 1, offer->nonce + at, (offer->used - at) * sizeof *offer->nonce);
	offer->nonce[at] = nonce;
	offer->used++;
}

static int by_size(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

static enum lp_code say(const struct lp_offer_id *id, enum lp_code code, uint32_t nonce, struct lp_err *e)
{
	char sender[LP_ADDRESS_TEXT];

	return lp_fail(e, code, "invalid ticket senderNonce: %s sender=%s nonce=%u",
		       code == LP_NONCE_SEEN ? "already seen" : "too many values",
		       lp_address_write(sender, id->sender), nonce);
}

/* Is any of them used, or named twice?  In the network's order: seen comes before too many. */
static enum lp_code check(const struct offer *offer, const struct lp_offer_id *id, const uint32_t *list, size_t n,
			  struct lp_err *e)
{
	uint32_t sorted[LP_NONCES_MAX], used = offer ? offer->used : 0;

	for (size_t i = 0; offer && i < n; i++) {
		if (seen(offer, list[i]))
			return say(id, LP_NONCE_SEEN, list[i], e);
	}
	if (n > LP_NONCES_MAX - used)
		return say(id, LP_TICKETS_FULL, list[LP_NONCES_MAX - used], e);
	if (n)
		memcpy(sorted, list, n * sizeof *list);
	qsort(sorted, n, sizeof *sorted, by_size);
	for (size_t i = 1; i < n; i++) {
		if (sorted[i] == sorted[i - 1])
			return say(id, LP_NONCE_SEEN, sorted[i], e);
	}
	return LP_OK;
}

enum lp_code lp_nonces_take(struct lp_nonces *nonces, const struct lp_offer_id *id, const uint32_t *list, size_t n,
			    struct lp_err *e)
{
	struct offer *offer = lp_map_find(nonces->offers, key_of(&id->rand_hash));
	enum lp_code code = check(offer, id, list, n, e);

	if (code || !n)
		return code;
	if (!offer) {
		if (lp_map_count(nonces->offers) >= nonces->max)
			return lp_fail(e, LP_TOO_MANY, "too many offers are open");
		offer = lp_mem_zeroed(1, sizeof *offer);
		offer->expiration_block = id->expiration_block;
		lp_map_put(nonces->offers, key_of(&id->rand_hash), offer);
	}
	for (size_t i = 0; i < n; i++)
		insert(offer, list[i]);
	return LP_OK;
}

enum lp_code lp_nonces_check(const struct lp_nonces *nonces, const struct lp_offer_id *id, const uint32_t *list,
			     size_t n, struct lp_err *e)
{
	return check(lp_map_find(nonces->offers, key_of(&id->rand_hash)), id, list, n, e);
}

bool lp_nonces_seen(const struct lp_nonces *nonces, const struct lp_hash *rand_hash, uint32_t nonce)
{
	const struct offer *offer = lp_map_find(nonces->offers, key_of(rand_hash));

	return offer && seen(offer, nonce);
}

uint32_t lp_nonces_used(const struct lp_nonces *nonces, const struct lp_hash *rand_hash)
{
	const struct offer *offer = lp_map_find(nonces->offers, key_of(rand_hash));

	return offer ? offer->used : 0;
}

size_t lp_nonces_expire(struct lp_nonces *nonces, uint64_t block)
{
	struct lp_span key;
	size_t at = 0, gone = 0;
	void *row;

	while (lp_map_next(nonces->offers, &at, &key, &row)) {
		struct offer *offer = row;

		if (offer->expiration_block > block)
			continue;
		lp_map_take(nonces->offers, key);
		offer_free(offer);
		gone++;
	}
	return gone;
}

#define VERSION 1
#define HEAD (1 + 32 + 8 + 2)	/* bytes of a row before its nonces */

static void put_number(struct lp_buf *to, uint64_t n, int bytes)
{
	for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
		lp_buf_add_char(to, (char)(uint8_t)(n >> shift));
}

/* The caller has seen that so many bytes are there. */
static uint64_t number_at(const char *at, int bytes)
{
	uint64_t n = 0;

	for (int i = 0; i < bytes; i++)
		n = n << 8 | (uint8_t)at[i];
	return n;
}

static void dump(struct lp_buf *to, struct lp_span hash, const struct offer *offer)
{
	put_number(to, VERSION, 1);
	lp_buf_add_span(to, hash);
	put_number(to, offer->expiration_block, 8);
	put_number(to, offer->used, 2);
	for (uint32_t i = 0; i < offer->used; i++)
		put_number(to, offer->nonce[i], 4);
}

void lp_nonces_dump(struct lp_buf *to, const struct lp_nonces *nonces, const struct lp_hash *only)
{
	struct lp_span key;
	size_t at = 0;
	void *offer;

	if (only) {
		offer = lp_map_find(nonces->offers, key_of(only));
		if (offer)
			dump(to, key_of(only), offer);
		return;
	}
	while (lp_map_next(nonces->offers, &at, &key, &offer))
		dump(to, key, offer);
}

/* The first row of them, cut off; at is NULL when it is none of ours. */
static struct lp_span cut_row(struct lp_span *rows)
{
	struct lp_span row = { NULL, 0 };
	uint64_t n;

	if (rows->len < HEAD || rows->at[0] != VERSION)
		return row;
	n = number_at(rows->at + HEAD - 2, 2);
	if (n < 1 || n > LP_NONCES_MAX || rows->len - HEAD < 4 * n)
		return row;
	for (size_t i = 1; i < n; i++) {
		if (number_at(rows->at + HEAD + 4 * i, 4) <= number_at(rows->at + HEAD + 4 * (i - 1), 4))
			return row;
	}
	row = lp_span_of(rows->at, HEAD + 4 * (size_t)n);
	*rows = lp_span_skip(*rows, row.len);
	return row;
}

/* False: this offer is there already. */
static bool load(struct lp_nonces *nonces, struct lp_span row)
{
	struct lp_span hash = lp_span_of(row.at + 1, 32);
	struct offer *offer;

	if (lp_map_find(nonces->offers, hash))
		return false;
	offer = lp_mem_zeroed(1, sizeof *offer);
	offer->expiration_block = number_at(row.at + 33, 8);
	offer->used = (uint32_t)number_at(row.at + HEAD - 2, 2);
	offer->room = offer->used;
	offer->nonce = lp_mem_grow(NULL, offer->room * sizeof *offer->nonce);
	for (uint32_t i = 0; i < offer->used; i++)
		offer->nonce[i] = (uint32_t)number_at(row.at + HEAD + 4 * (size_t)i, 4);
	lp_map_put(nonces->offers, hash, offer);
	return true;
}

/* The rows that were loaded before a bad one. */
static void unload(struct lp_nonces *nonces, struct lp_span rows, size_t n)
{
	for (; n; n--)
		offer_free(lp_map_take(nonces->offers, lp_span_of(cut_row(&rows).at + 1, 32)));
}

enum lp_code lp_nonces_load(struct lp_nonces *nonces, struct lp_span rows, struct lp_err *e)
{
	struct lp_span rest = rows;
	enum lp_code code = LP_OK;
	size_t n = 0;

	while (!code && rest.len) {
		struct lp_span row = cut_row(&rest);

		if (!row.at)
			code = lp_fail(e, LP_STORE, "the stored nonces are damaged, or of a newer lpd");
		else if (lp_map_count(nonces->offers) >= nonces->max)
			code = lp_fail(e, LP_TOO_MANY, "too many offers are open");
		else if (!load(nonces, row))
			code = lp_fail(e, LP_STORE, "the stored nonces name an offer twice");
		else
			n++;
	}
	if (code)
		unload(nonces, rows, n);
	return code;
}
