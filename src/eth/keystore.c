#include <lpd/eth/keystore.h>

#include <string.h>

#include <lpd/base/hex.h>
#include <lpd/base/json.h>

#define KEY_LEN 32
#define MAX_MEMORY (512u << 20)	/* scrypt's; the standard file asks for 256 MiB */
#define MAX_PARALLEL 64
#define MAX_WORK (1u << 24)	/* n * r * p: eight times the standard file */
#define MAX_ROUNDS 10000000	/* PBKDF2's */

/* Bytes in hexadecimal of exactly this length. */
static bool bytes_of(const json_t *object, const char *key, uint8_t *to, size_t len)
{
	return lp_hex_read(to, len, lp_json_str(object, key)) &&
	       !lp_span_starts(lp_json_str(object, key), "0x");
}

/* A whole number from 1 up. */
static bool count_of(const json_t *object, const char *key, uint64_t *to)
{
	const json_t *value = lp_json_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 1)
		return false;
	*to = (uint64_t)json_integer_value(value);
	return true;
}

static enum lp_code read_scrypt(struct lp_keystore *out, const json_t *params, struct lp_err *e)
{
	if (!count_of(params, "n", &out->n) || !count_of(params, "r", &out->r) ||
	    !count_of(params, "p", &out->p))
		return lp_fail(e, LP_CONFIG, "keystore: scrypt needs the numbers n, r and p");
	if (out->n < 2 || out->n & (out->n - 1))
		return lp_fail(e, LP_CONFIG, "keystore: scrypt's n is no power of two");
	if (out->n > MAX_WORK || out->r > MAX_WORK || out->p > MAX_PARALLEL ||
	    out->n * out->r > MAX_MEMORY / 128 || out->n * out->r * out->p > MAX_WORK)
		return lp_fail(e, LP_CONFIG, "keystore: scrypt asks for too much memory or work");
	/* A rule of scrypt's RFC 7914 that OpenSSL keeps; some old files break it. */
	if (out->r < 4 && out->n >> (16 * out->r))
		return lp_fail(e, LP_CONFIG,
			       "keystore: scrypt with n = %llu and r = %llu is not supported",
			       (unsigned long long)out->n, (unsigned long long)out->r);
	return LP_OK;
}

static enum lp_code read_pbkdf2(struct lp_keystore *out, const json_t *params, struct lp_err *e)
{
	if (!count_of(params, "c", &out->rounds) || out->rounds > MAX_ROUNDS)
		return lp_fail(e, LP_CONFIG, "keystore: pbkdf2's c is missing or out of range");
	if (!lp_span_is(lp_json_str(params, "prf"), "hmac-sha256"))
		return lp_fail(e, LP_CONFIG, "keystore: pbkdf2's prf is not hmac-sha256");
	return LP_OK;
}

static enum lp_code read_kdf(struct lp_keystore *out, const json_t *crypto, struct lp_err *e)
{
	const json_t *params = lp_json_get(crypto, "kdfparams");
	struct lp_span kdf = lp_json_str(crypto, "kdf");
	uint64_t len;

	if (!count_of(params, "dklen", &len) || len != KEY_LEN)
		return lp_fail(e, LP_CONFIG, "keystore: dklen is not 32");
	out->salt_len = lp_json_str(params, "salt").len / 2;
	if (!out->salt_len || out->salt_len > sizeof out->salt ||
	    !bytes_of(params, "salt", out->salt, out->salt_len))
		return lp_fail(e, LP_CONFIG, "keystore: the salt is missing or malformed");
	if (lp_span_is(kdf, "scrypt")) {
		out->kdf = LP_KDF_SCRYPT;
		return read_scrypt(out, params, e);
	}
	if (lp_span_is(kdf, "pbkdf2")) {
		out->kdf = LP_KDF_PBKDF2;
		return read_pbkdf2(out, params, e);
	}
	return lp_fail(e, LP_CONFIG, "keystore: the kdf is neither scrypt nor pbkdf2");
}

static enum lp_code read_json(struct lp_keystore *out, const json_t *json, struct lp_err *e)
{
	const json_t *crypto = lp_json_get(json, "crypto");	/* also Crypto, in old files */
	struct lp_span address = lp_json_str(json, "address");
	uint64_t version;

	if (!count_of(json, "version", &version) || version != 3)
		return lp_fail(e, LP_CONFIG, "keystore: the version is not 3");
	if (!lp_span_is(lp_json_str(crypto, "cipher"), "aes-128-ctr"))
		return lp_fail(e, LP_CONFIG, "keystore: the cipher is not aes-128-ctr");
	if (!bytes_of(lp_json_get(crypto, "cipherparams"), "iv", out->iv, sizeof out->iv))
		return lp_fail(e, LP_CONFIG, "keystore: the iv is missing or malformed");
	if (!bytes_of(crypto, "ciphertext", out->ciphertext, sizeof out->ciphertext))
		return lp_fail(e, LP_CONFIG, "keystore: the ciphertext is not 32 bytes");
	if (!bytes_of(crypto, "mac", out->mac, sizeof out->mac))
		return lp_fail(e, LP_CONFIG, "keystore: the mac is missing or malformed");
	out->has_address = address.len > 0;
	if (address.len && !lp_address_read(&out->address, address))
		return lp_fail(e, LP_CONFIG, "keystore: the address is malformed");
	if (!lp_span_copy(out->id, sizeof out->id, lp_json_str(json, "id")))
		return lp_fail(e, LP_CONFIG, "keystore: the id is no UUID");
	return read_kdf(out, crypto, e);
}

enum lp_code lp_keystore_read(struct lp_keystore *out, struct lp_span text, struct lp_err *e)
{
	struct lp_scope *scope;
	json_t *json;
	enum lp_code code;

	*out = (struct lp_keystore){ 0 };
	if (text.len > LP_KEYSTORE_MAX)
		return lp_fail(e, LP_CONFIG, "keystore: the file is too long");
	scope = lp_scope_open(NULL, "keystore");
	code = lp_json_parse(scope, &json, text, NULL) ?
		       lp_fail(e, LP_CONFIG, "keystore: the file is no JSON") :
		       read_json(out, json, e);
	lp_scope_close(&scope);
	return code;
}

static void add_hex(struct lp_buf *to, const char *key, const uint8_t *bytes, size_t len)
{
	char text[2 * 64 + 1];

	lp_buf_fmt(to, "\"%s\":\"%s\"", key, lp_hex_write(text, bytes, len));
}

void lp_keystore_write(struct lp_buf *to, const struct lp_keystore *store)
{
	lp_buf_add_text(to, "{");
	if (store->has_address) {
		add_hex(to, "address", store->address.bytes, sizeof store->address.bytes);
		lp_buf_add_text(to, ",");
	}
	lp_buf_add_text(to, "\"crypto\":{\"cipher\":\"aes-128-ctr\",");
	add_hex(to, "ciphertext", store->ciphertext, sizeof store->ciphertext);
	lp_buf_add_text(to, ",\"cipherparams\":{");
	add_hex(to, "iv", store->iv, sizeof store->iv);
	if (store->kdf == LP_KDF_SCRYPT)
		lp_buf_fmt(to, "},\"kdf\":\"scrypt\",\"kdfparams\":{\"dklen\":32,\"n\":%llu,\"p\":%llu,\"r\":%llu,",
			   (unsigned long long)store->n, (unsigned long long)store->p,
			   (unsigned long long)store->r);
	else
		lp_buf_fmt(to, "},\"kdf\":\"pbkdf2\",\"kdfparams\":{\"c\":%llu,\"dklen\":32,\"prf\":\"hmac-sha256\",",
			   (unsigned long long)store->rounds);
	add_hex(to, "salt", store->salt, store->salt_len);
	lp_buf_add_text(to, "},");
	add_hex(to, "mac", store->mac, sizeof store->mac);
	lp_buf_add_text(to, "},");
	/* Others of the network cannot open a file without an id. */
	lp_buf_fmt(to, "\"id\":\"%s\",\"version\":3}", store->id);
}
