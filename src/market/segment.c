#include <lpd/market/segment.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/hex.h>
#include <lpd/base/random.h>
#include <lpd/eth/signature.h>

#include "wire.h"

#define MAX_DURATION 300000 /* ms: five minutes of video */

void lp_segment_encode(struct lp_buf *to, const struct lp_segment *segment)
{
	struct lp_scope *scope = lp_scope_open(NULL, "segment");
	struct lp_buf bytes = { 0 };
	uint8_t hash[LP_KECCAK_LEN];
	Net__SegData message;

	lp_keccak256(hash, "", 0);
	net__seg_data__init(&message);
	message.manifestid = lp_message_lend(segment->manifest_id);
	message.hash = lp_message_lend(lp_span_of(hash, sizeof hash));
	/* No profile has this id; the word is what the network sends for AI jobs. */
	message.profiles = lp_message_lend(LP_SPAN("invalid"));
	message.sig = lp_message_lend(segment->sig);
	message.duration = segment->duration;
	if (segment->has_capabilities)
		message.capabilities = lp_wire_of_caps(scope, &segment->capabilities);
	message.auth_token = lp_wire_of_token(scope, &segment->auth_token);
	lp_message_write(&bytes, &message.base);
	lp_b64_write(to, lp_buf_span(&bytes));
	lp_buf_clear(&bytes);
	lp_scope_close(&scope);
}

/* Profiles mean nothing for AI, but the network refuses those that it does not know. */
static enum lp_code check_profiles(size_t n, Net__VideoProfile *const *profiles, struct lp_err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!protobuf_c_enum_descriptor_get_value(&net__video_profile__format__descriptor,
							  (int)profiles[i]->format))
			return lp_fail(e, LP_FORBIDDEN, "unrecognized profile output format");
		if (!protobuf_c_enum_descriptor_get_value(&net__video_profile__profile__descriptor,
							  (int)profiles[i]->profile))
			return lp_fail(e, LP_FORBIDDEN, "unrecognized encoder profile");
		if (!protobuf_c_enum_descriptor_get_value(
			    &net__video_profile__video_codec__descriptor,
			    (int)profiles[i]->encoder))
			return lp_fail(e, LP_FORBIDDEN, "unrecognized video codec");
	}
	return LP_OK;
}

static enum lp_code check_all_profiles(const Net__SegData *from, struct lp_err *e)
{
	enum lp_code code = check_profiles(from->n_fullprofiles, from->fullprofiles, e);

	if (!code)
		code = check_profiles(from->n_fullprofiles2, from->fullprofiles2, e);
	return code ? code : check_profiles(from->n_fullprofiles3, from->fullprofiles3, e);
}

/* The bytes of a header; an absent one is an empty message.  False: no base64, or longer than is
 * read. */
static bool header_bytes(struct lp_scope *scope, struct lp_span header, struct lp_span *bytes)
{
	return header.len <= LP_B64_LEN(LP_WIRE_SMALL_MAX) && lp_b64_read_dup(scope, bytes, header);
}

enum lp_code lp_segment_decode(struct lp_scope *scope, struct lp_segment *segment,
			       struct lp_span header, struct lp_err *e)
{
	struct lp_span bytes;

	*segment = (struct lp_segment){ 0 };
	if (!header_bytes(scope, header, &bytes))
		return lp_fail(e, LP_FORBIDDEN, "ErrorSegEncoding");
	const Net__SegData *from =
		lp_message_read(scope, &net__seg_data__descriptor, bytes, LP_WIRE_SMALL_MAX);

	if (!from)
		return lp_fail(e, LP_FORBIDDEN,
			       "protobuf unmarshal error: SegData cannot be parsed");
	enum lp_code code = check_all_profiles(from, e);

	if (code)
		return code;
	if (from->duration < 0 || from->duration > MAX_DURATION)
		return lp_fail(e, LP_FORBIDDEN, "invalid duration");
	segment->manifest_id = lp_message_bytes(from->manifestid);
	segment->seq = from->seq;
	segment->hash = lp_message_bytes(from->hash);
	segment->sig = lp_message_bytes(from->sig);
	segment->duration = from->duration;
	segment->has_capabilities = from->capabilities != NULL;
	if (from->capabilities)
		lp_wire_to_caps(scope, &segment->capabilities, from->capabilities);
	lp_wire_to_token(&segment->auth_token, from->auth_token);
	return LP_OK;
}

enum lp_code lp_payment_check(struct lp_scope *scope, struct lp_span header, struct lp_err *e)
{
	struct lp_span bytes;

	if (!header_bytes(scope, header, &bytes))
		return lp_fail(e, LP_UNDERPAID, "base64 decode error: the header is not base64");
	if (!lp_message_read(scope, &net__payment__descriptor, bytes, LP_WIRE_SMALL_MAX))
		return lp_fail(e, LP_UNDERPAID,
			       "protobuf unmarshal error: Payment cannot be parsed");
	return LP_OK;
}

void lp_token_mac(uint8_t mac[32], const uint8_t secret[32], struct lp_span session_id,
		  int64_t expiration)
{
	uint8_t message[256 + 8];
	size_t len = session_id.len < 256 ? session_id.len : 256;
	unsigned mac_len = 0;

	if (len)
		memcpy(message, session_id.at, len);
	/* Big-endian without leading zeros: 0 adds no byte.  Go's big integers lose the sign, so
	 * do we. */
	uint64_t number = expiration < 0 ? ~(uint64_t)expiration + 1 : (uint64_t)expiration;

	for (int shift = 56; shift >= 0; shift -= 8) {
		if (number >> shift)
			message[len++] = (uint8_t)(number >> shift);
	}
	const uint8_t *made = HMAC(EVP_sha256(), secret, 32, message, len, mac, &mac_len);

	lp_assert(made && mac_len == 32);
}

void lp_token_make(struct lp_scope *scope, struct lp_auth_token *token, const uint8_t secret[32],
		   int64_t now_seconds)
{
	uint8_t id[4];
	char *text = lp_alloc(scope, 2 * sizeof id + 1);
	uint8_t *mac = lp_alloc(scope, 32);

	lp_random(id, sizeof id);
	lp_hex_write(text, id, sizeof id);
	token->present = true;
	token->session_id = lp_span(text);
	token->expiration = now_seconds + LP_TOKEN_LIFE;
	lp_token_mac(mac, secret, token->session_id, token->expiration);
	token->token = lp_span_of(mac, 32);
}

enum lp_code lp_token_check(const struct lp_auth_token *token, const uint8_t secret[32],
			    int64_t now_seconds, struct lp_err *e)
{
	uint8_t mac[32];

	if (!token->present)
		return lp_fail(e, LP_FORBIDDEN, "missing auth token");
	lp_token_mac(mac, secret, token->session_id, token->expiration);
	/* Our ids have 8 characters; longer ones than lp_token_mac takes in cannot be ours. */
	if (token->session_id.len > 256 || token->token.len != 32 ||
	    CRYPTO_memcmp(mac, token->token.at, 32) != 0)
		return lp_fail(e, LP_FORBIDDEN, "invalid auth token");
	if (now_seconds > token->expiration)
		return lp_fail(e, LP_FORBIDDEN, "expired auth token");
	return LP_OK;
}

void lp_segment_message(struct lp_buf *to, struct lp_span manifest_id)
{
	const uint8_t seq[32] = { 0 };
	uint8_t hash[LP_KECCAK_LEN];

	lp_keccak256(hash, "", 0);
	lp_buf_add_span(to, manifest_id);
	lp_buf_add(to, seq, sizeof seq);
	lp_buf_add(to, hash, sizeof hash);
}

/* As the segment has them, whatever they are: an AI job has no profiles, which add nothing. */
bool lp_segment_signer(struct lp_address *out, const struct lp_segment *segment)
{
	uint8_t seq[32] = { 0 };
	struct lp_hash message, digest;
	struct lp_keccak k;
	struct lp_sig sig;

	if (!lp_sig_of(&sig, segment->sig))
		return false;
	for (int i = 0; i < 8; i++)
		seq[31 - i] = (uint8_t)((uint64_t)segment->seq >> (8 * i));
	lp_keccak_init(&k);
	lp_keccak_add(&k, segment->manifest_id.at, segment->manifest_id.len);
	lp_keccak_add(&k, seq, sizeof seq);
	lp_keccak_add(&k, segment->hash.at, segment->hash.len);
	lp_keccak_end(&k, message.bytes);
	digest = lp_sig_digest(&message);
	return lp_sig_recover(out, &sig, &digest);
}

enum lp_code lp_segment_check(const struct lp_segment *segment,
			      const struct lp_segment_judge *judge, struct lp_err *e)
{
	if (judge->sender &&
	    (!judge->signer || !lp_address_eq(*judge->sender, *judge->signer)))
		return lp_fail(e, LP_FORBIDDEN, "ErrSegSig");
	/* Without capabilities nothing is asked for, which everyone can do. */
	if (segment->has_capabilities &&
	    lp_capabilities_check(&segment->capabilities, judge->own, NULL))
		return lp_fail(e, LP_FORBIDDEN, "incompatible capabilities");
	if (judge->sender)
		return LP_OK;
	return lp_token_check(&segment->auth_token, judge->secret, judge->now_seconds, e);
}
