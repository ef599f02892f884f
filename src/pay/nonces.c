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
