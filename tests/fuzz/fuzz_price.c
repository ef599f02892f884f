/* Prices of flags, numbers and amounts as text. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/pay/price.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void number(struct lp_span text)
{
	char again[LP_WEI_TEXT];
	struct lp_u256 n, back;
	struct lp_wei wei, other;

	if (lp_u256_read(&n, text))
		lp_assert(lp_u256_read(&back, lp_span(lp_u256_write(again, n))) && !lp_u256_cmp(n, back));
	if (lp_u256_read_hex(&n, text))
		lp_assert(lp_u256_read_hex(&back, lp_span(lp_u256_write_hex(again, n))) && !lp_u256_cmp(n, back));
	if (lp_wei_read(&wei, text, LP_IN_ETH))
		lp_assert(lp_wei_read(&other, lp_span(lp_wei_write(again, wei, LP_IN_ETH)), LP_IN_ETH) &&
			  !lp_wei_cmp(wei, other));
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_span currency, text = lp_span_of(at, len);
	struct lp_price price, wei, sent;
	int64_t per_unit, units;
	struct lp_err e;

	number(text);
	if (lp_price_read(&price, &currency, text, &e)) {
		lp_assert(e.code == LP_CONFIG);
		return 0;
	}
	lp_assert(currency.len <= len);
	if (lp_price_in_wei(&wei, price, currency, price, &e))
		return 0;
	if (lp_price_wire(&per_unit, &units, wei)) {
		/* Never above what was said, and never given away. */
		lp_assert(lp_price_of_wire(&sent, per_unit, units, &e) == LP_OK);
		lp_assert(lp_price_cmp(sent, wei) <= 0 && lp_price_is_free(sent) == lp_price_is_free(wei));
	}
	return 0;
}
