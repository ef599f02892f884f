#include "wire.h"

#include <string.h>

#include <lpd/base/assert.h>

/* protobuf-c's allocator over a scope, with a bound: a field of two bytes can cost a struct of a hundred. */
struct purse {
	struct lp_scope *scope;
	size_t left;
};

static void *spend(void *self, size_t size)
{
	struct purse *purse = self;

	if (size > purse->left)
		return NULL;
	purse->left -= size;
	return lp_alloc(purse->scope, size);
}

static void keep(void *self, void *at)
{
	(void)self; /* the scope frees it */
	(void)at;
}

void *lp_paywire_read(struct lp_scope *scope, const ProtobufCMessageDescriptor *kind, struct lp_span bytes,
		      size_t budget)
{
	struct purse purse = { scope, budget };
	ProtobufCAllocator allocator = { spend, keep, &purse };
	const uint8_t *at = (const uint8_t *)(bytes.len ? bytes.at : "");

	return protobuf_c_message_unpack(kind, &allocator, bytes.len, at);
}

void lp_paywire_write(struct lp_buf *to, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);

	if (len)
		protobuf_c_message_pack(message, (uint8_t *)lp_buf_room(to, len));
	lp_buf_grew(to, len);
}

struct lp_span lp_paywire_bytes(ProtobufCBinaryData bytes)
{
	return lp_span_of(bytes.data, bytes.len);
}

ProtobufCBinaryData lp_paywire_lend(const void *at, size_t len)
{
	union {
		const void *in;
		uint8_t *out;
	} it = { at };

	return (ProtobufCBinaryData){ len, it.out };
}

static ProtobufCBinaryData number(uint8_t room[32], struct lp_u256 n)
{
	return lp_paywire_lend(room, lp_u256_write_min(room, n));
}

void lp_paywire_of_params(Net__TicketParams *to, const struct lp_params *params, struct lp_paywire_room *room)
{
	net__ticket_params__init(to);
	to->recipient = lp_paywire_lend(params->recipient.bytes, LP_ADDRESS_LEN);
	to->face_value = number(room->number[0], params->face_value.n);
	to->win_prob = number(room->number[1], params->win_prob);
	to->recipient_rand_hash = lp_paywire_lend(params->rand_hash.bytes, sizeof params->rand_hash.bytes);
	to->seed = number(room->number[2], params->seed);
	to->expiration_block = number(room->number[3], lp_u256_of(params->expiration_block));
}

void lp_paywire_of_round(Net__TicketExpirationParams *to, const struct lp_params *params)
{
	net__ticket_expiration_params__init(to);
	to->creation_round = (int64_t)params->round;
	to->creation_round_block_hash =
		lp_paywire_lend(params->round_hash.bytes, sizeof params->round_hash.bytes);
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
	return lp_u256_read_bytes(to, lp_paywire_bytes(from));
}

enum lp_code lp_paywire_to_params(struct lp_params *to, const Net__TicketParams *from, struct lp_err *e)
{
	struct lp_u256 block;

	if (!lp_address_of(&to->recipient, lp_paywire_bytes(from->recipient)))
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
