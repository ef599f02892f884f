#include <lpd/pay/quote.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include <lpd/base/assert.h>

#define VERSION 1
#define TAG "lpd/quote/1"	/* a new layout takes a new number */
#define MESSAGE (sizeof TAG + LP_ADDRESS_LEN + 3 * 8 + 2 * LP_KECCAK_LEN)

static uint8_t *put(uint8_t *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return to + len;
}

static uint8_t *put_i64(uint8_t *to, int64_t n)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
	return to + 8;
}

static int64_t get_i64(const uint8_t *at)
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | at[i];
	return (int64_t)n;
}

void lp_quote_work(struct lp_hash *out, uint32_t capability, struct lp_span model)
{
	const uint8_t number[4] = { (uint8_t)(capability >> 24), (uint8_t)(capability >> 16),
				    (uint8_t)(capability >> 8), (uint8_t)capability };
	struct lp_keccak k;

	lp_keccak_init(&k);
	lp_keccak_add(&k, number, sizeof number);
	lp_keccak_add(&k, model.at, model.len);
	lp_keccak_end(&k, out->bytes);
}

/* Of fixed width: names of any length go in as their hashes. */
static void mac_of(uint8_t mac[32], const uint8_t secret[32], const struct lp_quote *quote)
{
	uint8_t message[MESSAGE], *at = put(message, TAG, sizeof TAG);
	struct lp_hash work, session;
	unsigned len = 0;

	lp_quote_work(&work, quote->capability, quote->model);
	lp_keccak256(session.bytes, quote->session_id.at, quote->session_id.len);
	at = put(at, quote->sender.bytes, LP_ADDRESS_LEN);
	at = put_i64(at, quote->price_per_unit);
	at = put_i64(at, quote->units);
	at = put_i64(at, quote->expiration);
	at = put(at, work.bytes, sizeof work.bytes);
	at = put(at, session.bytes, sizeof session.bytes);
	lp_assert(at == message + MESSAGE);
	const uint8_t *made = HMAC(EVP_sha256(), secret, 32, message, sizeof message, mac, &len);

	lp_assert(made && len == 32);
}

void lp_quote_write(uint8_t token[LP_QUOTE_TOKEN], const uint8_t secret[32], const struct lp_quote *quote)
{
	uint8_t *at = token;

	*at++ = VERSION;
	at = put_i64(at, quote->price_per_unit);
	at = put_i64(at, quote->units);
	mac_of(at, secret, quote);
}

enum lp_code lp_quote_check(struct lp_quote *quote, const uint8_t secret[32], struct lp_span token, int64_t now,
			    struct lp_err *e)
{
	const uint8_t *at = (const uint8_t *)token.at;
	uint8_t mac[32];

	if (token.len == 0)
		return lp_fail(e, LP_FORBIDDEN, "missing auth token");
	if (token.len != LP_QUOTE_TOKEN || at[0] != VERSION)
		return lp_fail(e, LP_FORBIDDEN, "invalid auth token");
	quote->price_per_unit = get_i64(at + 1);
	quote->units = get_i64(at + 9);
	mac_of(mac, secret, quote);
	if (CRYPTO_memcmp(mac, at + 17, sizeof mac) != 0)
		return lp_fail(e, LP_FORBIDDEN, "invalid auth token");
	if (now > quote->expiration)
		return lp_fail(e, LP_FORBIDDEN, "expired auth token");
	return LP_OK;
}
