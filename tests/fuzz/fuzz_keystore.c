/* Account files: what is read is within its limits and writes back the same. */
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/eth/keystore.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lp_keystore store, back;
	struct lp_buf text = { 0 };
	struct lp_err e;

	if (lp_keystore_read(&store, lp_span_of(at, len), &e)) {
		lp_assert(e.code == LP_CONFIG);
		return 0;
	}
	lp_assert(store.kdf == LP_KDF_PBKDF2 || store.n * store.r * store.p <= 1 << 24);
	lp_keystore_write(&text, &store);
	lp_assert(lp_keystore_read(&back, lp_buf_span(&text), &e) == LP_OK);
	lp_assert(!memcmp(&back, &store, sizeof back));
	lp_buf_clear(&text);
	return 0;
}
