/* eth/tx - see the header. */
#include <lpd/eth/tx.h>

#include <lpd/eth/keccak.h>
#include <lpd/eth/rlp.h>

#define TYPE 2

static void add_members(struct lp_buf *to, const struct lp_tx *tx)
{
	lp_rlp_number(to, lp_u256_of(tx->chain_id));
	lp_rlp_number(to, lp_u256_of(tx->nonce));
	lp_rlp_number(to, tx->fees.tip.n);
	lp_rlp_number(to, tx->fees.cap.n);
	lp_rlp_number(to, lp_u256_of(tx->gas));
	lp_rlp_bytes(to, lp_span_of(tx->to.bytes, sizeof(tx->to.bytes)));
	lp_rlp_number(to, tx->value.n);
	lp_rlp_bytes(to, tx->data);
	lp_rlp_list(to, LP_SPAN(""));
}

static void add_typed(struct lp_buf *to, struct lp_span members)
{
	lp_buf_add_char(to, TYPE);
	lp_rlp_list(to, members);
}

void lp_tx_payload(struct lp_buf *to, const struct lp_tx *tx)
{
	struct lp_buf members = { 0 };

	add_members(&members, tx);
	add_typed(to, lp_buf_span(&members));
	lp_buf_clear(&members);
}

/* r and s are numbers here, so they lose zeros in front. */
static void add_half(struct lp_buf *to, const uint8_t bytes[32])
{
	struct lp_u256 n = LP_U256_ZERO;

	(void)lp_u256_read_bytes(&n, lp_span_of(bytes, 32));	/* 32 bytes always fit */
	lp_rlp_number(to, n);
}

void lp_tx_sign(struct lp_buf *to, struct lp_hash *hash, const struct lp_tx *tx, const struct lp_key *key)
{
	struct lp_buf members = { 0 }, raw = { 0 };
	struct lp_hash digest;
	struct lp_sig sig;

	lp_tx_payload(&raw, tx);
	lp_keccak256(digest.bytes, lp_buf_span(&raw).at, raw.len);
	lp_key_sign_digest(&sig, key, &digest);
	add_members(&members, tx);
	lp_rlp_number(&members, lp_u256_of(sig.bytes[64] - 27u));
	add_half(&members, sig.bytes);
	add_half(&members, sig.bytes + 32);
	lp_buf_reset(&raw);
	add_typed(&raw, lp_buf_span(&members));
	lp_keccak256(hash->bytes, lp_buf_span(&raw).at, raw.len);
	lp_buf_add_span(to, lp_buf_span(&raw));
	lp_buf_clear(&members);
	lp_buf_clear(&raw);
}

bool lp_tx_most(struct lp_wei *out, const struct lp_tx *tx)
{
	struct lp_wei gas;

	return lp_wei_mul(&gas, tx->fees.cap, tx->gas) && lp_wei_add(out, gas, tx->value);
}

static enum lp_code too_dear(struct lp_wei asked, struct lp_wei most, struct lp_err *e)
{
	char a[LP_WEI_TEXT], b[LP_WEI_TEXT];

	return lp_fail(e, LP_UNAVAILABLE, "the chain asks for %s gwei a unit of gas, and at most %s are offered",
		       lp_wei_write(a, asked, LP_IN_GWEI), lp_wei_write(b, most, LP_IN_GWEI));
}

enum lp_code lp_fees_of(struct lp_fees *out, struct lp_wei base, struct lp_wei tip, struct lp_wei most,
			struct lp_err *e)
{
	struct lp_wei now, cap;

	if (!lp_wei_add(&now, base, tip) || !lp_wei_add(&cap, now, base))
		return lp_fail(e, LP_BAD_PEER, "the chain's base fee is no number that can be paid");
	if (!lp_wei_is_zero(most)) {
		if (lp_wei_cmp(now, most) > 0)
			return too_dear(now, most, e);
		cap = lp_wei_min(cap, most);
	}
	*out = (struct lp_fees){ tip, cap };
	return LP_OK;
}

bool lp_fee_raise(struct lp_wei *out, struct lp_wei from, unsigned percent)
{
	return lp_u256_mul_div(&out->n, from.n, lp_u256_of(100 + (uint64_t)percent), lp_u256_of(100), LP_UP);
}

enum lp_code lp_fees_raise(struct lp_fees *out, const struct lp_fees *from, unsigned percent, struct lp_wei most,
			   struct lp_err *e)
{
	struct lp_wei tip, cap;

	if (!lp_fee_raise(&tip, from->tip, percent) || !lp_fee_raise(&cap, from->cap, percent))
		return lp_fail(e, LP_UNAVAILABLE, "nothing is left to raise");
	if (!lp_wei_is_zero(most) && lp_wei_cmp(cap, most) > 0)
		return too_dear(cap, most, e);
	*out = (struct lp_fees){ tip, cap };
	return LP_OK;
}
