#include "wire.h"

#include <string.h>

static ProtobufCBinaryData lend(const void *at, size_t len)
{
	return lp_message_lend(lp_span_of(at, len));
}

static ProtobufCBinaryData number(uint8_t room[32], struct lp_u256 n)
{
	return lend(room, lp_u256_write_min(room, n));
}

void lp_paywire_of_params(Net__TicketParams *to, const struct lp_params *params, struct lp_paywire_room *room)
{
	net__ticket_params__init(to);
	to->recipient = lend(params->recipient.bytes, LP_ADDRESS_LEN);
	to->face_value = number(room->number[0], params->face_value.n);
	to->win_prob = number(room->number[1], params->win_prob);
	to->recipient_rand_hash = lend(params->rand_hash.bytes, sizeof params->rand_hash.bytes);
	to->seed = number(room->number[2], params->seed);
	to->expiration_block = number(room->number[3], lp_u256_of(params->expiration_block));
}

void lp_paywire_of_round(Net__TicketExpirationParams *to, const struct lp_params *params)
{
	net__ticket_expiration_params__init(to);
	to->creation_round = (int64_t)params->round;
	to->creation_round_block_hash =
		lend(params->round_hash.bytes, sizeof params->round_hash.bytes);
}

/* Exactly 32 bytes. */
static bool hash_of(struct lp_hash *to, ProtobufCBinaryData from)
{
	if (from.len != sizeof to->bytes)
		return false;
	memcpy(to->bytes, from.data, sizeof to->bytes);
	return true;
}

static bool number_of(struct lp_u256 *to, ProtobufCBinaryData from)
{
	return lp_u256_read_bytes(to, lp_message_bytes(from));
}

enum lp_code lp_paywire_to_params(struct lp_params *to, const Net__TicketParams *from, struct lp_err *e)
{
	struct lp_u256 block;

	if (!lp_address_of(&to->recipient, lp_message_bytes(from->recipient)))
		return lp_fail(e, LP_BAD_PEER, "ticket params: the recipient is no address");
	if (!hash_of(&to->rand_hash, from->recipient_rand_hash))
		return lp_fail(e, LP_BAD_PEER, "ticket params: the rand's hash is not 32 bytes");
	if (!number_of(&to->face_value.n, from->face_value) || !number_of(&to->win_prob, from->win_prob) ||
	    !number_of(&to->seed, from->seed))
		return lp_fail(e, LP_BAD_PEER, "ticket params: a number of more than 32 bytes");
	if (!number_of(&block, from->expiration_block) || !lp_u256_to_u64(&to->expiration_block, block))
		return lp_fail(e, LP_BAD_PEER, "ticket params: the expiration is no block's number");
	return LP_OK;
}

enum lp_code lp_paywire_to_round(struct lp_params *to, const Net__TicketExpirationParams *from, struct lp_err *e)
{
	if (from->creation_round < 0)
		return lp_fail(e, LP_BAD_PEER, "ticket params: the round is negative");
	/* Some orchestrators give neither: the payer then puts in what it knows. */
	if (from->creation_round_block_hash.len == 0)
		memset(&to->round_hash, 0, sizeof to->round_hash);
	else if (!hash_of(&to->round_hash, from->creation_round_block_hash))
		return lp_fail(e, LP_BAD_PEER, "ticket params: the round's hash is not 32 bytes");
	to->round = (uint64_t)from->creation_round;
	return LP_OK;
}
