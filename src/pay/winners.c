#include <lpd/pay/winners.h>

#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/list.h>
#include <lpd/base/map.h>
#include <lpd/base/mem.h>

#define VERSION 1

struct lp_winner_row {
	struct lp_link dirty;
	struct lp_winner winner;
	bool safe, out, gone;
	int64_t not_before;
	void *owner;
};

struct lp_winners {
	struct lp_map *rows;		/* by the ticket's hash */
	struct lp_list dirty;
	size_t max;
};

static struct lp_span key_of(const struct lp_hash *hash)
{
	return lp_span_of(hash->bytes, sizeof hash->bytes);
}

struct lp_winners *lp_winners_new(size_t max)
{
	struct lp_winners *winners = lp_mem_zeroed(1, sizeof *winners);

	winners->rows = lp_map_new();
	winners->max = max;
	lp_list_init(&winners->dirty);
	return winners;
}

void lp_winners_free(struct lp_winners **winners)
{
	if (!*winners)
		return;
	lp_map_free_all(&(*winners)->rows, lp_mem_free);
	lp_mem_free(*winners);
	*winners = NULL;
}

size_t lp_winners_count(const struct lp_winners *winners)
{
	return lp_map_count(winners->rows);
}

static void mark(struct lp_winners *winners, struct lp_winner_row *row)
{
	if (!lp_link_in(&row->dirty))
		lp_list_add(&winners->dirty, &row->dirty);
}

enum lp_code lp_winners_add(struct lp_winners *winners, struct lp_winner_row **out, const struct lp_winner *winner,
			    void *owner, struct lp_err *e)
{
	struct lp_hash hash;
	struct lp_winner_row *row;

	*out = NULL;
	lp_ticket_hash(&hash, &winner->ticket);
	if (lp_map_find(winners->rows, key_of(&hash)))
		return LP_OK;
	if (lp_map_count(winners->rows) >= winners->max)
		return lp_fail(e, LP_NO_ROOM, "too many winning tickets wait to be redeemed");
	row = lp_mem_zeroed(1, sizeof *row);
	row->winner = *winner;
	row->winner.hash = hash;
	row->owner = owner;
	lp_map_put(winners->rows, key_of(&hash), row);
	mark(winners, row);
	*out = row;
	return LP_OK;
}

bool lp_winners_saved(struct lp_winners *winners, const struct lp_hash *ticket, bool safe, void **owner)
{
	struct lp_winner_row *row = lp_map_find(winners->rows, key_of(ticket));

	*owner = NULL;
	if (!row || row->safe)
		return false;
	if (!safe) {
		mark(winners, row);
		return false;
	}
	row->safe = true;
	*owner = row->owner;
	row->owner = NULL;
	return *owner != NULL;
}

struct lp_wei lp_winners_open(const struct lp_winners *winners, struct lp_address sender)
{
	struct lp_wei sum = LP_WEI_ZERO;
	struct lp_span key;
	size_t at = 0;
	void *found;

	while (lp_map_next(winners->rows, &at, &key, &found)) {
		const struct lp_winner_row *row = found;

		if (row->gone || !lp_address_eq(row->winner.ticket.sender, sender))
			continue;
		if (!lp_wei_add(&sum, sum, row->winner.ticket.face_value))
			return (struct lp_wei){ LP_U256_MAX };
	}
	return sum;
}

static bool may_go(const struct lp_winner_row *row, uint64_t block, int64_t now)
{
	return row->safe && !row->out && !row->gone && row->winner.expiration_block <= block &&
	       row->not_before <= now;
}

bool lp_winners_ripe(struct lp_winners *winners, struct lp_winner *out, uint64_t block, int64_t now)
{
	struct lp_winner_row *first = NULL;
	struct lp_span key;
	size_t at = 0;
	void *found;

	while (lp_map_next(winners->rows, &at, &key, &found)) {
		struct lp_winner_row *row = found;

		if (may_go(row, block, now) && (!first || row->winner.ticket.round < first->winner.ticket.round))
			first = row;
	}
	if (!first)
		return false;
	first->out = true;
	*out = first->winner;
	return true;
}

/* The row stays until the store was told, so that what is in the store and what is here never differ by more
 * than what is marked. */
void lp_winners_gone(struct lp_winners *winners, const struct lp_hash *ticket)
{
	struct lp_winner_row *row = lp_map_find(winners->rows, key_of(ticket));

	if (!row)
		return;
	row->gone = true;
	mark(winners, row);
}

void lp_winners_later(struct lp_winners *winners, const struct lp_hash *ticket, int64_t not_before)
{
	struct lp_winner_row *row = lp_map_find(winners->rows, key_of(ticket));

	if (!row)
		return;
	row->out = false;
	row->not_before = not_before;
}

/* ---- the store's row: fields of fixed width ---- */

static uint8_t *put(uint8_t *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return to + len;
}

static uint8_t *put_number(uint8_t *to, uint64_t n, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
	return to + bytes;
}

static void get(void *to, const uint8_t **at, size_t len)
{
	memcpy(to, *at, len);
	*at += len;
}

static uint64_t get_number(const uint8_t **at, int bytes)
{
	uint64_t n = 0;

	for (int i = 0; i < bytes; i++)
		n = n << 8 | *(*at)++;
	return n;
}

static struct lp_u256 get_u256(const uint8_t **at)
{
	struct lp_u256 n = LP_U256_ZERO;
	bool read = lp_u256_read_bytes(&n, lp_span_of(*at, 32));

	lp_assert(read);
	*at += 32;
	return n;
}

static void write_row(uint8_t to[LP_WINNER_ROW], const struct lp_winner *w)
{
	uint8_t *at = put_number(to, VERSION, 1);

	at = put(at, w->ticket.recipient.bytes, LP_ADDRESS_LEN);
	at = put(at, w->ticket.sender.bytes, LP_ADDRESS_LEN);
	lp_u256_write_32(at, w->ticket.face_value.n);
	lp_u256_write_32(at + 32, w->ticket.win_prob);
	at = put_number(at + 64, w->ticket.nonce, 4);
	at = put(at, w->ticket.rand_hash.bytes, 32);
	at = put_number(at, w->ticket.round, 8);
	at = put(at, w->ticket.round_hash.bytes, 32);
	at = put(at, w->sig.bytes, LP_SIG_LEN);
	at = put(at, w->rand.bytes, 32);
	at = put_number(at, w->expiration_block, 8);
	lp_assert(at == to + LP_WINNER_ROW);
}

static bool read_row(struct lp_winner *w, struct lp_span row)
{
	const uint8_t *at = (const uint8_t *)row.at;

	if (row.len != LP_WINNER_ROW || get_number(&at, 1) != VERSION)
		return false;
	get(w->ticket.recipient.bytes, &at, LP_ADDRESS_LEN);
	get(w->ticket.sender.bytes, &at, LP_ADDRESS_LEN);
	w->ticket.face_value.n = get_u256(&at);
	w->ticket.win_prob = get_u256(&at);
	w->ticket.nonce = (uint32_t)get_number(&at, 4);
	get(w->ticket.rand_hash.bytes, &at, 32);
	w->ticket.round = get_number(&at, 8);
	get(w->ticket.round_hash.bytes, &at, 32);
	get(w->sig.bytes, &at, LP_SIG_LEN);
	get(w->rand.bytes, &at, 32);
	w->expiration_block = get_number(&at, 8);
	return lp_ticket_wins(&w->ticket, &w->sig, &w->rand);
}

bool lp_winners_next(struct lp_winners *winners, struct lp_winner_change *out)
{
	struct lp_link *link = lp_list_first(&winners->dirty);

	if (!link)
		return false;
	struct lp_winner_row *row = LP_CONTAINER(link, struct lp_winner_row, dirty);

	lp_link_out(link);
	*out = (struct lp_winner_change){ .hash = row->winner.hash, .gone = row->gone };
	if (!row->gone) {
		write_row(out->row, &row->winner);
		return true;
	}
	lp_map_take(winners->rows, key_of(&out->hash));
	lp_mem_free(row);
	return true;
}

enum lp_code lp_winners_load(struct lp_winners *winners, struct lp_span bytes, struct lp_err *e)
{
	struct lp_winner winner = { 0 };
	struct lp_winner_row *row;

	if (!read_row(&winner, bytes))
		return lp_fail(e, LP_STORE, "a winning ticket in the store is damaged, or of another version");
	enum lp_code code = lp_winners_add(winners, &row, &winner, NULL, e);
	if (row) {
		row->safe = true;
		lp_link_out(&row->dirty);
	}
	return code;
}
